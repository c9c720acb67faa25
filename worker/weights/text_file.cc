#include "worker/weights/text_file.h"

#include <filesystem>

#include "absl/strings/str_cat.h"
#include "worker/weights/regular_file.h"

namespace genzo {

bool TextFile::Exists() const {
  std::error_code ignored;
  return text_ != nullptr || std::filesystem::exists(path_, ignored);
}

absl::StatusOr<std::string> TextFile::Read(size_t max_bytes) const {
  if (text_ == nullptr) return ReadWholeFile(path_, max_bytes);
  if (text_->size() <= max_bytes) return *text_;
  return absl::InvalidArgumentError(absl::StrCat(
      path_, ": has ", text_->size(), " bytes, the limit is ", max_bytes));
}

}  // namespace genzo
