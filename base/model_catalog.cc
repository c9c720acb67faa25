#include "base/model_catalog.h"

#include "absl/strings/str_cat.h"
#include "base/errors.h"

namespace genzo {
namespace {

constexpr size_t kMaxModelIdBytes = 63;

}  // namespace

void ModelCatalog::Put(v1::Model model) {
  model.set_is_default(model.id() == default_model_);
  absl::MutexLock lock(&mutex_);
  models_[model.id()] = std::move(model);
}

absl::StatusOr<v1::Model> ModelCatalog::Get(const std::string& id) const {
  if (id.size() > kMaxModelIdBytes) {
    return InvalidFieldsError(
        {{"model", absl::StrCat("model has ", id.size(),
                                " bytes, the limit is ", kMaxModelIdBytes)}});
  }
  absl::MutexLock lock(&mutex_);
  const auto found = models_.find(id.empty() ? default_model_ : id);
  if (found != models_.end()) return found->second;
  std::vector<std::string> known;
  for (const auto& entry : models_) known.push_back(entry.first);
  return ModelNotFoundError(id.empty() ? default_model_ : id, known);
}

std::vector<v1::Model> ModelCatalog::List() const {
  absl::MutexLock lock(&mutex_);
  std::vector<v1::Model> models;
  for (const auto& entry : models_) models.push_back(entry.second);
  return models;
}

}  // namespace genzo
