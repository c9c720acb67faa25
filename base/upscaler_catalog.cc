#include "base/upscaler_catalog.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/upscale_plan.h"
#include "base/utf8.h"

namespace genzo {
namespace {

constexpr size_t kMostNameBytes = 64;

}  // namespace

UpscalerCatalog::UpscalerCatalog() {
  v1::Upscaler lanczos;
  lanczos.set_name(kLanczos);
  lanczos.set_architecture("filter");
  Put({lanczos});
}

bool UpscalerCatalog::Put(const Entry& entry) {
  absl::MutexLock lock(&mutex_);
  return entries_.try_emplace(entry.upscaler.name(), entry).second;
}

void UpscalerCatalog::Remove(const std::string& name) {
  absl::MutexLock lock(&mutex_);
  entries_.erase(name);
}

absl::StatusOr<UpscalerCatalog::Entry> UpscalerCatalog::Get(
    const std::string& name) const {
  absl::MutexLock lock(&mutex_);
  if (name.empty()) {
    for (const auto& [known, entry] : entries_) {
      if (!entry.path.empty()) return entry;
    }
    return entries_.at(kLanczos);
  }
  const auto found = entries_.find(name);
  if (found != entries_.end()) return found->second;
  const std::string shown = name.size() > kMostNameBytes
                                ? absl::StrCat("of ", name.size(), " bytes")
                                : absl::StrCat("\"", Printable(name), "\"");
  return absl::NotFoundError(absl::StrCat(
      shown, " is not the name of an upscaler; known are: ",
      absl::StrJoin(entries_, ", ", [](std::string* out, const auto& entry) {
        out->append(entry.first);
      })));
}

std::vector<v1::Upscaler> UpscalerCatalog::List() const {
  absl::MutexLock lock(&mutex_);
  std::vector<v1::Upscaler> list;
  for (const auto& [name, entry] : entries_) list.push_back(entry.upscaler);
  return list;
}

}  // namespace genzo
