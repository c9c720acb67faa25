#include "server/access/key_store.h"

#include "absl/strings/str_cat.h"

namespace genzo {

absl::StatusOr<std::unique_ptr<KeyStore>> KeyStore::Open(
    const std::string& path, const Clock& clock) {
  std::unique_ptr<KeyStore> store(new KeyStore(path, clock));
  const auto text = store->file_.Read();
  if (!text.has_value()) {
    return absl::NotFoundError(
        absl::StrCat("auth.keys_file ", path, " cannot be read"));
  }
  const absl::Status taken = store->Take(*text);
  if (taken.ok()) return store;
  return absl::InvalidArgumentError(
      absl::StrCat("auth.keys_file ", path, ": ", taken.message()));
}

absl::StatusOr<std::shared_ptr<const Grant>> KeyStore::Check(
    const std::string& text) const {
  std::shared_ptr<const KeyTable> table;
  {
    absl::MutexLock lock(&mutex_);
    table = table_;
  }
  return table->Find(text, clock_.Date());
}

void KeyStore::Refresh() {
  file_.TakeChanged("keys",
                    [this](const std::string& text) { return Take(text); });
}

absl::Status KeyStore::Take(const std::string& text) {
  const auto keys = ParseKeys(text);
  if (!keys.ok()) return keys.status();
  auto table = std::make_shared<const KeyTable>(*keys);
  absl::MutexLock lock(&mutex_);
  table_ = std::move(table);
  return absl::OkStatus();
}

}  // namespace genzo
