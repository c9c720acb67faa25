#include "worker/engine/latent_store.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "base/errors.h"

namespace genzo {
namespace {

absl::Status NotKeptError(const std::string& name) {
  return ErrorWithReason(absl::StatusCode::kNotFound, "LATENTS_NOT_FOUND",
                         absl::StrCat("start_latents \"", name,
                                      "\" are not kept, or not any more"));
}

}  // namespace

LatentStore::Key LatentStore::OldestLocked(const std::string* tenant) const {
  return *std::find_if(recent_.rbegin(), recent_.rend(), [&](const Key& key) {
    return tenant == nullptr || key.first == *tenant;
  });
}

void LatentStore::EraseLocked(const Key& key) {
  const auto entry = entries_.find(key);
  all_used_ -= entry->second.bytes;
  used_.Add(key.first, -entry->second.bytes);
  recent_.erase(entry->second.place);
  entries_.erase(entry);
}

void LatentStore::Keep(const std::string& tenant, const std::string& name,
                       KeptLatent latent) {
  const auto bytes = static_cast<int64_t>(latent.latent.nbytes());
  if (bytes > std::min(bytes_, tenant_bytes_)) return;
  const Key key = {tenant, name};
  absl::MutexLock lock(&mutex_);
  if (entries_.count(key) > 0) EraseLocked(key);
  while (used_.Of(tenant) > 0 && used_.Of(tenant) + bytes > tenant_bytes_) {
    EraseLocked(OldestLocked(&tenant));
  }
  while (all_used_ + bytes > bytes_) EraseLocked(OldestLocked(nullptr));
  recent_.push_front(key);
  entries_[key] = {std::move(latent), bytes, recent_.begin()};
  used_.Add(tenant, bytes);
  all_used_ += bytes;
}

absl::StatusOr<KeptLatentFacts> LatentStore::Look(
    const std::string& tenant, const std::string& name) const {
  absl::MutexLock lock(&mutex_);
  const auto entry = entries_.find({tenant, name});
  if (entry == entries_.end()) return NotKeptError(name);
  return entry->second.kept.facts();
}

absl::StatusOr<KeptLatent> LatentStore::Find(const std::string& tenant,
                                             const std::string& name) {
  absl::MutexLock lock(&mutex_);
  const auto entry = entries_.find({tenant, name});
  if (entry == entries_.end()) return NotKeptError(name);
  recent_.splice(recent_.begin(), recent_, entry->second.place);
  return entry->second.kept;
}

}  // namespace genzo
