#include "base/hmac_sha256.h"

#include "openssl/evp.h"
#include "openssl/hmac.h"

namespace genzo {

std::string HmacSha256(absl::string_view key, absl::string_view bytes) {
  std::string digest(EVP_MAX_MD_SIZE, '\0');
  unsigned int size = 0;
  HMAC(EVP_sha256(), key.data(), static_cast<int>(key.size()),
       reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size(),
       reinterpret_cast<unsigned char*>(digest.data()), &size);
  digest.resize(size);
  return digest;
}

}  // namespace genzo
