#include <filesystem>

#include "tests/parity/cases.h"
#include "worker/pipeline/pipeline_table.h"

namespace genzo::parity {

std::string ModelCache::Path(const std::string& relative) const {
  return (std::filesystem::path(reference_folder_) / relative).string();
}

absl::StatusOr<const StableDiffusion*> ModelCache::Get(
    const std::string& relative) {
  auto found = models_.find(relative);
  if (found == models_.end()) {
    found = models_.emplace(relative, LoadPipeline(Path(relative), Placement()))
                .first;
  }
  if (!found->second.ok()) return found->second.status();
  const auto* model =
      dynamic_cast<const StableDiffusion*>(found->second->get());
  if (model == nullptr) return absl::UnimplementedError("another family");
  return model;
}

}  // namespace genzo::parity
