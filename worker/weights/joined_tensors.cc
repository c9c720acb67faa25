#include "worker/weights/joined_tensors.h"

#include "absl/strings/str_cat.h"

namespace genzo {

absl::StatusOr<std::shared_ptr<const TensorSource>> JoinedTensors::Create(
    std::string path,
    std::vector<std::shared_ptr<const TensorSource>> sources) {
  std::shared_ptr<JoinedTensors> joined(new JoinedTensors(std::move(path)));
  for (const auto& source : sources) {
    for (const auto& [name, entry] : source->entries()) {
      if (!joined->source_of_.emplace(name, source).second) {
        return absl::InvalidArgumentError(absl::StrCat(
            joined->path_, ": tensor \"", name, "\" is in ",
            joined->source_of_.at(name)->path(), " and in ", source->path()));
      }
      joined->entries_.emplace(name, entry);
    }
  }
  return std::shared_ptr<const TensorSource>(std::move(joined));
}

absl::StatusOr<at::Tensor> JoinedTensors::Read(
    const std::string& name, const ReadOptions& options) const {
  const auto found = source_of_.find(name);
  if (found == source_of_.end()) return Missing(name);
  return found->second->Read(name, options);
}

}  // namespace genzo
