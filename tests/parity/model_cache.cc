#include <filesystem>

#include "tests/parity/cases.h"

namespace genzo::parity {

std::string ModelCache::Path(const std::string& relative) const {
  return (std::filesystem::path(reference_folder_) / relative).string();
}

absl::StatusOr<const DiffusionModel*> ModelCache::Get(
    const std::string& relative) {
  auto found = models_.find(relative);
  if (found == models_.end()) {
    found = models_
                .emplace(relative,
                         DiffusionModel::Load(Path(relative), Placement()))
                .first;
  }
  if (!found->second.ok()) return found->second.status();
  return found->second->get();
}

}  // namespace genzo::parity
