#include "base/model_catalog.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "base/errors.h"

namespace genzo {
namespace {

constexpr size_t kMaxModelIdBytes = 63;

int Rank(const v1::Model& model) {
  switch (model.state()) {
    case v1::Model::STATE_RESIDENT:
      return 3;
    case v1::Model::STATE_LOADING:
      return 2;
    case v1::Model::STATE_UNLOADED:
      return 1;
    default:
      return 0;
  }
}

const v1::Model& Best(const std::map<int, v1::Model>& by_device) {
  return std::max_element(by_device.begin(), by_device.end(),
                          [](const auto& a, const auto& b) {
                            return Rank(a.second) < Rank(b.second);
                          })
      ->second;
}

absl::Status CheckLength(const std::string& field, const std::string& id) {
  if (id.size() <= kMaxModelIdBytes) return absl::OkStatus();
  return InvalidFieldsError(
      {{field, absl::StrCat(field, " has ", id.size(), " bytes, the limit is ",
                            kMaxModelIdBytes)}});
}

}  // namespace

void ModelCatalog::SetDefault(const std::string& id) {
  absl::MutexLock lock(&mutex_);
  default_model_ = id;
  for (auto& [name, by_device] : models_) {
    for (auto& [_, model] : by_device) model.set_is_default(name == id);
  }
}

void ModelCatalog::Put(v1::Model model, int device) {
  absl::MutexLock lock(&mutex_);
  model.set_is_default(model.id() == default_model_);
  models_[model.id()][device] = std::move(model);
}

void ModelCatalog::Remove(const std::string& id, int device) {
  absl::MutexLock lock(&mutex_);
  const auto found = models_.find(id);
  if (found == models_.end()) return;
  found->second.erase(device);
  if (found->second.empty()) models_.erase(found);
}

absl::StatusOr<v1::Model> ModelCatalog::Get(const std::string& id) const {
  const absl::Status fits = CheckLength("model", id);
  if (!fits.ok()) return fits;
  absl::MutexLock lock(&mutex_);
  const auto found = models_.find(id.empty() ? default_model_ : id);
  if (found != models_.end()) return Best(found->second);
  std::vector<std::string> known;
  for (const auto& entry : models_) known.push_back(entry.first);
  return ModelNotFoundError(id.empty() ? default_model_ : id, known);
}

absl::StatusOr<v1::Model> ModelCatalog::Named(const std::string& id) const {
  if (id.empty()) return InvalidFieldsError({{"id", "id is empty"}});
  const absl::Status fits = CheckLength("id", id);
  if (!fits.ok()) return fits;
  return Get(id);
}

std::vector<v1::Model> ModelCatalog::List() const {
  absl::MutexLock lock(&mutex_);
  std::vector<v1::Model> models;
  for (const auto& entry : models_) models.push_back(Best(entry.second));
  return models;
}

}  // namespace genzo
