#include "worker/weights/component_files.h"

#include <filesystem>
#include <set>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "worker/weights/component_folder.h"
#include "worker/weights/tensor_heads.h"

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

std::string ComponentFiles::Identity() const {
  std::string identity;
  for (const auto& [name, text] : texts_) {
    absl::StrAppend(&identity, "|", name, "=", text);
  }
  if (tensors_ != nullptr) {
    const std::string file = FileIdentity(tensors_->path());
    if (file.empty()) return "";
    absl::StrAppend(&identity, "|", file);
  }
  const std::string& folder = in_memory_ ? folder_ : path_;
  if (folder.empty()) return identity;
  std::error_code error;
  std::set<std::string> files;  // in an order of their own
  for (fs::directory_iterator at(folder, error), end; !error && at != end;
       at.increment(error)) {
    const std::string file = FileIdentity(at->path().string());
    files.insert(absl::StrCat(at->path().filename().string(), "=", file));
    if (file.empty()) return "";
  }
  if (error) return "";
  return absl::StrCat(identity, "|", absl::StrJoin(files, "|"));
}

absl::StatusOr<std::shared_ptr<const TensorSource>>
ComponentFiles::OpenTensors() const {
  if (in_memory_ && tensors_ == nullptr) {
    return absl::NotFoundError(absl::StrCat(path_, ": has no tensors"));
  }
  auto tensors = in_memory_ ? tensors_ : genzo::OpenTensors(path_);
  if (!tensors.ok()) return tensors;
  if (heads_only_) return HeadsOf(*std::move(tensors));
  if (pool_ == nullptr) return tensors;
  return InPool(*std::move(tensors), pool_, class_name_);
}

}  // namespace genzo
