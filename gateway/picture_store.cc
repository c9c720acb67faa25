#include "gateway/picture_store.h"

#include "absl/strings/escaping.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "openssl/crypto.h"
#include "openssl/evp.h"
#include "openssl/hmac.h"
#include "openssl/rand.h"

namespace genzo {

std::string HmacHex(const std::string& key, const std::string& text) {
  unsigned char digest[EVP_MAX_MD_SIZE];
  unsigned int size = 0;
  HMAC(EVP_sha256(), key.data(), static_cast<int>(key.size()),
       reinterpret_cast<const unsigned char*>(text.data()), text.size(), digest,
       &size);
  return absl::BytesToHexString({reinterpret_cast<const char*>(digest), size});
}

bool SameSecret(const std::string& a, const std::string& b) {
  return a.size() == b.size() &&
         CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0;
}

std::string RandomHex(int bytes) {
  std::string random(bytes, '\0');
  RAND_bytes(reinterpret_cast<unsigned char*>(random.data()), bytes);
  return absl::BytesToHexString(random);
}

std::string PictureStore::Sign(const std::string& name,
                               const std::string& expires) const {
  return HmacHex(key_, absl::StrCat(name, "\n", expires));
}

std::string PictureStore::Keep(std::string bytes,
                               const std::string& media_type) {
  const std::pair<std::string, std::string> type =
      absl::StrSplit(media_type, absl::MaxSplits('/', 1));
  const std::string name = absl::StrCat(RandomHex(16), ".", type.second);
  const absl::Time expires = clock_.Date() + limits_.kept;
  const std::string seconds = absl::StrCat(absl::ToUnixSeconds(expires));
  const absl::MutexLock lock(&mutex_);
  bytes_ += bytes.size();
  names_.push_back(name);
  pictures_[name] = {std::make_shared<const std::string>(std::move(bytes)),
                     media_type, expires};
  DropOld();
  return absl::StrCat(name, "?expires=", seconds,
                      "&signature=", Sign(name, seconds));
}

void PictureStore::DropOld() {
  while (!names_.empty()) {
    const auto found = pictures_.find(names_.front());
    if (bytes_ <= limits_.max_bytes && found->second.expires > clock_.Date()) {
      return;
    }
    bytes_ -= found->second.bytes->size();
    pictures_.erase(found);
    names_.pop_front();
  }
}

absl::StatusOr<PictureStore::Picture> PictureStore::Find(
    const std::string& name, const std::string& expires,
    const std::string& signature) const {
  if (!SameSecret(Sign(name, expires), signature)) {
    return absl::PermissionDeniedError("the link's signature is wrong");
  }
  int64_t seconds = 0;
  if (!absl::SimpleAtoi(expires, &seconds) ||
      absl::FromUnixSeconds(seconds) <= clock_.Date()) {
    return absl::NotFoundError("the link has expired");
  }
  const absl::MutexLock lock(&mutex_);
  const auto found = pictures_.find(name);
  if (found != pictures_.end()) return found->second;
  return absl::NotFoundError("the picture is not kept any more");
}

}  // namespace genzo
