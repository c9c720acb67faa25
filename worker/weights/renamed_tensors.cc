#include "worker/weights/renamed_tensors.h"

#include "absl/strings/str_cat.h"

namespace genzo {

absl::StatusOr<std::shared_ptr<const TensorSource>> RenamedTensors::Create(
    std::shared_ptr<const TensorSource> source, const RenameTable& table) {
  std::shared_ptr<RenamedTensors> renamed(
      new RenamedTensors(std::move(source)));
  for (const auto& [name, entry] : renamed->source_->entries()) {
    const auto row = table.find(name);
    const std::string& new_name = row == table.end() ? name : row->second;
    const auto [place, is_first] =
        renamed->name_in_file_.try_emplace(new_name, name);
    if (!is_first) {
      return absl::InvalidArgumentError(
          absl::StrCat(renamed->path(), ": tensors \"", place->second,
                       "\" and \"", name, "\" are both \"", new_name, "\""));
    }
    renamed->entries_.emplace(new_name, entry);
  }
  return std::shared_ptr<const TensorSource>(std::move(renamed));
}

absl::StatusOr<at::Tensor> RenamedTensors::Read(
    const std::string& name, const ReadOptions& options) const {
  const auto found = name_in_file_.find(name);
  if (found == name_in_file_.end()) return Missing(name);
  return source_->Read(found->second, options);
}

}  // namespace genzo
