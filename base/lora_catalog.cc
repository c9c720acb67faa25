#include "base/lora_catalog.h"

#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/errors.h"

namespace genzo {
namespace {

// Names that a message lists.
constexpr size_t kMostListed = 20;
constexpr size_t kMostShown = 100;  // bytes of a name that is none

}  // namespace

void LoraCatalog::Put(v1::Lora lora) {
  absl::MutexLock lock(&mutex_);
  const std::string name = lora.name();
  entries_[name] = {.lora = std::move(lora), .fits = {}};
}

void LoraCatalog::Remove(const std::string& name) {
  absl::MutexLock lock(&mutex_);
  entries_.erase(name);
}

void LoraCatalog::Fail(const std::string& name, const absl::Status& status) {
  absl::MutexLock lock(&mutex_);
  const auto found = entries_.find(name);
  if (found == entries_.end()) return;
  *found->second.lora.mutable_error() = ToRpcStatus(status);
}

void LoraCatalog::SetFit(const std::string& name, const std::string& model,
                         const absl::Status& fits, LoraLayers layers) {
  absl::MutexLock lock(&mutex_);
  const auto found = entries_.find(name);
  if (found == entries_.end()) return;
  found->second.fits[model] = {fits, Shared(std::move(layers))};
}

std::shared_ptr<const LoraLayers> LoraCatalog::Shared(LoraLayers layers) const {
  for (const auto& [name, entry] : entries_) {
    for (const auto& [model, fit] : entry.fits) {
      if (*fit.layers == layers) return fit.layers;
    }
  }
  return std::make_shared<const LoraLayers>(std::move(layers));
}

void LoraCatalog::RemoveModel(const std::string& model) {
  absl::MutexLock lock(&mutex_);
  for (auto& [name, entry] : entries_) entry.fits.erase(model);
}

absl::Status LoraCatalog::Check(const std::string& name,
                                const std::string& model) const {
  absl::MutexLock lock(&mutex_);
  const auto found = entries_.find(name);
  if (found == entries_.end()) {
    std::vector<std::string> known;
    for (const auto& [other, entry] : entries_) {
      if (known.size() == kMostListed) {
        known.emplace_back("...");
        break;
      }
      known.push_back(other);
    }
    return absl::NotFoundError(absl::StrCat(
        "\"", absl::Utf8SafeCEscape(name.substr(0, kMostShown)),
        "\" is not one of this server's adapters: ",
        known.empty() ? "it has none" : absl::StrJoin(known, ", ")));
  }
  const auto& [lora, fits] = found->second;
  if (lora.has_error()) {
    return absl::InvalidArgumentError(absl::StrCat(
        "\"", name, "\" cannot be used: ", lora.error().message()));
  }
  const auto fit = fits.find(model);
  if (fit == fits.end() || fit->second.status.ok()) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat(
      "\"", name, "\", of family ", lora.family(), ", does not fit model \"",
      model, "\": ", fit->second.status.message()));
}

absl::Status LoraCatalog::CheckBlocks(const v1::LoraUse& lora,
                                      const std::string& model) const {
  absl::MutexLock lock(&mutex_);
  const auto found = entries_.find(lora.name());
  if (found == entries_.end()) return absl::OkStatus();
  const auto fit = found->second.fits.find(model);
  if (fit == found->second.fits.end()) return absl::OkStatus();
  const LoraLayers& layers = *fit->second.layers;
  const bool is_known = !layers.denoiser.empty() || layers.text_encoders;
  return is_known ? CheckBlockWeights(lora, layers) : absl::OkStatus();
}

std::vector<v1::Lora> LoraCatalog::List(const std::string& model) const {
  absl::MutexLock lock(&mutex_);
  std::vector<v1::Lora> loras;
  for (const auto& [name, entry] : entries_) {
    const auto fit = entry.fits.find(model);
    const bool takes = fit != entry.fits.end() && fit->second.status.ok();
    if (!model.empty() && (!takes || entry.lora.has_error())) continue;
    loras.push_back(entry.lora);
    for (const auto& [id, fits] : entry.fits) {
      if (fits.status.ok()) {
        loras.back().add_models(id);
        continue;
      }
      v1::LoraMisfit& misfit = *loras.back().add_misfits();
      misfit.set_model(id);
      misfit.set_message(std::string(fits.status.message()));
    }
  }
  return loras;
}

}  // namespace genzo
