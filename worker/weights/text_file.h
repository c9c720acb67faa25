#ifndef GENZO_WORKER_WEIGHTS_TEXT_FILE_H_
#define GENZO_WORKER_WEIGHTS_TEXT_FILE_H_

#include <cstddef>
#include <memory>
#include <string>

#include "absl/status/statusor.h"

namespace genzo {

// One of the small files of a model: on disk, or text that is in memory already
// because a single file has no room for it. Whoever reads a configuration or a
// vocabulary takes one of these and need not know which. A value.
class TextFile {
 public:
  // On disk. Implicit: that is where most are.
  TextFile(std::string path) : path_(std::move(path)) {}
  TextFile(const char* path) : path_(path) {}
  // In memory; `path` is what messages call it.
  TextFile(std::string path, std::string text)
      : path_(std::move(path)),
        text_(std::make_shared<const std::string>(std::move(text))) {}

  bool Exists() const;

  // As ReadWholeFile().
  absl::StatusOr<std::string> Read(size_t max_bytes) const;

  const std::string& path() const { return path_; }

 private:
  std::string path_;
  std::shared_ptr<const std::string> text_;  // null: on disk
};

}  // namespace genzo

#endif  // GENZO_WORKER_WEIGHTS_TEXT_FILE_H_
