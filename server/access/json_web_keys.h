#ifndef GENZO_SERVER_ACCESS_JSON_WEB_KEYS_H_
#define GENZO_SERVER_ACCESS_JSON_WEB_KEYS_H_

#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "openssl/evp.h"

namespace genzo {

// Public keys of a JWKS file (RFC 7517) for signatures of RS256 (2,048 bits and
// more), ES256 (P-256) and EdDSA (Ed25519). Immutable.
class JsonWebKeys {
 public:
  // Keys of other kinds are left out. INVALID_ARGUMENT for bad JSON, damaged
  // keys, and if no key is left.
  static absl::StatusOr<JsonWebKeys> Parse(const std::string& json);

  // Whether `signature` is that of `text` by the key `id` with `algorithm`.
  // Without an id, any key of the algorithm will do. False for every other
  // algorithm, "none" among them.
  bool Verify(const std::string& id, const std::string& algorithm,
              absl::string_view text, const std::string& signature) const;

  size_t size() const { return keys_.size(); }

 private:
  struct Free {
    void operator()(EVP_PKEY* key) const { EVP_PKEY_free(key); }
  };
  struct Key {
    std::string id;
    std::string algorithm;
    std::unique_ptr<EVP_PKEY, Free> key;
  };

  std::vector<Key> keys_;
};

}  // namespace genzo

#endif  // GENZO_SERVER_ACCESS_JSON_WEB_KEYS_H_
