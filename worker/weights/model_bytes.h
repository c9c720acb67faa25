#ifndef GENZO_WORKER_WEIGHTS_MODEL_BYTES_H_
#define GENZO_WORKER_WEIGHTS_MODEL_BYTES_H_

#include <cstdint>
#include <map>
#include <string>

namespace genzo {

// What a model's weights take in memory, and which parts of that another model
// may hold with it, by a key that is equal where the part is in memory once.
// Two models of 50 bytes whose text encoder of 20 is the same take 80. A value.
struct ModelBytes {
  // Implicit: most numbers of bytes are shared with nobody.
  ModelBytes(int64_t bytes = 0) : all(bytes) {}

  // Adds what one and the same model holds besides.
  ModelBytes& operator+=(const ModelBytes& other) {
    all += other.all;
    shared.insert(other.shared.begin(), other.shared.end());
    return *this;
  }

  friend ModelBytes operator+(ModelBytes a, const ModelBytes& b) {
    return a += b;
  }
  bool operator==(const ModelBytes&) const = default;

  int64_t all = 0;  // with what is shared
  std::map<std::string, int64_t> shared = {};
};

// What several models take together: each shared part counts while anybody has
// it.
class BytesTogether {
 public:
  // `beside`: of what stands beside them.
  explicit BytesTogether(int64_t beside = 0) : bytes_(beside) {}

  void Add(const ModelBytes& model) {
    bytes_ += model.all;
    for (const auto& [key, bytes] : model.shared) {
      if (holders_[key]++ > 0) bytes_ -= bytes;
    }
  }
  // One that was added.
  void Remove(const ModelBytes& model) {
    bytes_ -= model.all;
    for (const auto& [key, bytes] : model.shared) {
      if (--holders_[key] > 0) bytes_ += bytes;
    }
  }
  int64_t bytes() const { return bytes_; }

 private:
  int64_t bytes_;
  std::map<std::string, int> holders_;
};

}  // namespace genzo

#endif  // GENZO_WORKER_WEIGHTS_MODEL_BYTES_H_
