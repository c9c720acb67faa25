#ifndef GENZO_WORKER_WEIGHTS_TORCH_FILE_PICKLE_BYTES_H_
#define GENZO_WORKER_WEIGHTS_TORCH_FILE_PICKLE_BYTES_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "absl/status/status.h"

namespace genzo {

// The bytes of a pickle, read from front to back. What is not there is 0 or
// empty, and the first fault stands in status(): INVALID_ARGUMENT, with the
// place of the instruction. Safe on arbitrary bytes.
class PickleBytes {
 public:
  // `pickle` must outlive this.
  explicit PickleBytes(std::string_view pickle) : pickle_(pickle) {}

  // An instruction begins here.
  void Mark() { begin_ = at_; }
  void Fail(const std::string& what);
  const absl::Status& status() const { return status_; }

  std::string_view Take(uint64_t count);
  // Little-endian, as all numbers but those in text; at most 8 bytes.
  uint64_t Unsigned(size_t bytes);
  // The same with a sign; of more than 8 bytes is a fault.
  int64_t Long(size_t bytes);
  // Up to the next line break, which is left out.
  std::string Line();

 private:
  const std::string_view pickle_;
  size_t at_ = 0;
  size_t begin_ = 0;
  absl::Status status_;
};

}  // namespace genzo

#endif  // GENZO_WORKER_WEIGHTS_TORCH_FILE_PICKLE_BYTES_H_
