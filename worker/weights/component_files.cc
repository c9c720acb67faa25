#include "worker/weights/component_files.h"

#include <filesystem>

#include "absl/strings/str_cat.h"
#include "worker/weights/component_folder.h"

namespace genzo {

namespace fs = std::filesystem;

ComponentFiles::ComponentFiles(std::string path,
                               std::map<std::string, std::string> texts,
                               std::shared_ptr<const TensorSource> tensors,
                               std::string folder)
    : path_(std::move(path)),
      in_memory_(true),
      texts_(std::move(texts)),
      tensors_(std::move(tensors)),
      folder_(std::move(folder)) {}

TextFile ComponentFiles::At(const std::string& name) const {
  const auto found = texts_.find(name);
  if (found != texts_.end()) {
    return TextFile(absl::StrCat(path_, "/", name), found->second);
  }
  const std::string& folder = in_memory_ && !folder_.empty() ? folder_ : path_;
  return TextFile((fs::path(folder) / name).string());
}

absl::StatusOr<std::shared_ptr<const TensorSource>>
ComponentFiles::OpenTensors() const {
  if (in_memory_ && tensors_ == nullptr) {
    return absl::NotFoundError(absl::StrCat(path_, ": has no tensors"));
  }
  auto tensors = in_memory_ ? tensors_ : genzo::OpenTensors(path_);
  if (!tensors.ok() || pool_ == nullptr) return tensors;
  return InPool(*std::move(tensors), pool_, class_name_);
}

}  // namespace genzo
