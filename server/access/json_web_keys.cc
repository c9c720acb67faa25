#include "server/access/json_web_keys.h"

#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "base/freed_by.h"
#include "nlohmann/json.hpp"
#include "openssl/bn.h"
#include "openssl/core_names.h"
#include "openssl/ec.h"
#include "openssl/ecdsa.h"
#include "openssl/param_build.h"

namespace genzo {
namespace {

using nlohmann::json;

constexpr int kLeastRsaBits = 2048;
constexpr size_t kP256Bytes = 32;

using BigNumber = FreedBy<BIGNUM, BN_free>;
using Params = FreedBy<OSSL_PARAM, OSSL_PARAM_free>;
using ParamBuilder = FreedBy<OSSL_PARAM_BLD, OSSL_PARAM_BLD_free>;
using KeyContext = FreedBy<EVP_PKEY_CTX, EVP_PKEY_CTX_free>;

std::string TextOf(const json& object, const char* key) {
  const auto member = object.find(key);
  return member != object.end() && member->is_string()
             ? member->get<std::string>()
             : "";
}

// The bytes of a base64url member; empty if it is not there or not base64url.
std::string BytesOf(const json& object, const char* key) {
  std::string bytes;
  return absl::WebSafeBase64Unescape(TextOf(object, key), &bytes) ? bytes : "";
}

BigNumber NumberOf(const std::string& bytes) {
  return BigNumber(
      BN_bin2bn(reinterpret_cast<const unsigned char*>(bytes.data()),
                static_cast<int>(bytes.size()), nullptr));
}

EVP_PKEY* Build(const char* type, OSSL_PARAM_BLD* builder) {
  const Params params(OSSL_PARAM_BLD_to_param(builder));
  const KeyContext context(EVP_PKEY_CTX_new_from_name(nullptr, type, nullptr));
  EVP_PKEY* key = nullptr;
  if (params == nullptr || context == nullptr ||
      EVP_PKEY_fromdata_init(context.get()) != 1 ||
      EVP_PKEY_fromdata(context.get(), &key, EVP_PKEY_PUBLIC_KEY,
                        params.get()) != 1) {
    return nullptr;
  }
  return key;
}

EVP_PKEY* RsaKey(const json& object) {
  const std::string n = BytesOf(object, "n");
  const std::string e = BytesOf(object, "e");
  if (n.empty() || e.empty()) return nullptr;
  const BigNumber modulus = NumberOf(n);
  const BigNumber exponent = NumberOf(e);
  if (BN_num_bits(modulus.get()) < kLeastRsaBits) return nullptr;
  const ParamBuilder builder(OSSL_PARAM_BLD_new());
  OSSL_PARAM_BLD_push_BN(builder.get(), OSSL_PKEY_PARAM_RSA_N, modulus.get());
  OSSL_PARAM_BLD_push_BN(builder.get(), OSSL_PKEY_PARAM_RSA_E, exponent.get());
  return Build("RSA", builder.get());
}

EVP_PKEY* P256Key(const json& object) {
  const std::string x = BytesOf(object, "x");
  const std::string y = BytesOf(object, "y");
  if (x.size() != kP256Bytes || y.size() != kP256Bytes) return nullptr;
  const std::string point = absl::StrCat("\x04", x, y);  // uncompressed
  const ParamBuilder builder(OSSL_PARAM_BLD_new());
  OSSL_PARAM_BLD_push_utf8_string(builder.get(), OSSL_PKEY_PARAM_GROUP_NAME,
                                  "prime256v1", 0);
  OSSL_PARAM_BLD_push_octet_string(builder.get(), OSSL_PKEY_PARAM_PUB_KEY,
                                   point.data(), point.size());
  return Build("EC", builder.get());
}

EVP_PKEY* Ed25519Key(const json& object) {
  const std::string x = BytesOf(object, "x");
  return EVP_PKEY_new_raw_public_key(
      EVP_PKEY_ED25519, nullptr,
      reinterpret_cast<const unsigned char*>(x.data()), x.size());
}

// ES256 signs with two numbers side by side, OpenSSL wants them in DER.
std::string ToDer(const std::string& signature) {
  if (signature.size() != 2 * kP256Bytes) return "";
  const FreedBy<ECDSA_SIG, ECDSA_SIG_free> pair(ECDSA_SIG_new());
  ECDSA_SIG_set0(pair.get(),
                 NumberOf(signature.substr(0, kP256Bytes)).release(),
                 NumberOf(signature.substr(kP256Bytes)).release());
  unsigned char* bytes = nullptr;
  const int size = i2d_ECDSA_SIG(pair.get(), &bytes);
  if (size <= 0) return "";
  std::string der(reinterpret_cast<char*>(bytes), size);
  OPENSSL_free(bytes);
  return der;
}

bool VerifyWith(EVP_PKEY* key, const EVP_MD* digest, absl::string_view text,
                const std::string& signature) {
  const FreedBy<EVP_MD_CTX, EVP_MD_CTX_free> context(EVP_MD_CTX_new());
  return EVP_DigestVerifyInit(context.get(), nullptr, digest, nullptr, key) ==
             1 &&
         EVP_DigestVerify(
             context.get(),
             reinterpret_cast<const unsigned char*>(signature.data()),
             signature.size(),
             reinterpret_cast<const unsigned char*>(text.data()),
             text.size()) == 1;
}

// "" if it is of no kind that we use.
std::string AlgorithmOf(const json& object) {
  const std::string type = TextOf(object, "kty");
  const std::string curve = TextOf(object, "crv");
  const std::string use = TextOf(object, "use");
  if (!use.empty() && use != "sig") return "";
  std::string algorithm;
  if (type == "RSA") algorithm = "RS256";
  if (type == "EC" && curve == "P-256") algorithm = "ES256";
  if (type == "OKP" && curve == "Ed25519") algorithm = "EdDSA";
  const std::string said = TextOf(object, "alg");
  return said.empty() || said == algorithm ? algorithm : "";
}

}  // namespace

absl::StatusOr<JsonWebKeys> JsonWebKeys::Parse(const std::string& text) {
  const json root =
      json::parse(text, /*cb=*/nullptr, /*allow_exceptions=*/false);
  if (root.is_discarded() || !root.is_object() || !root.contains("keys") ||
      !root["keys"].is_array()) {
    return absl::InvalidArgumentError(
        "is not a JSON object with the list \"keys\"");
  }
  JsonWebKeys keys;
  int number = -1;
  for (const json& object : root["keys"]) {
    ++number;
    if (!object.is_object()) {
      return absl::InvalidArgumentError(
          absl::StrCat("keys[", number, "] is not an object"));
    }
    const std::string algorithm = AlgorithmOf(object);
    if (algorithm.empty()) continue;
    EVP_PKEY* const key = algorithm == "RS256"   ? RsaKey(object)
                          : algorithm == "ES256" ? P256Key(object)
                                                 : Ed25519Key(object);
    if (key == nullptr) {
      return absl::InvalidArgumentError(
          absl::StrCat("keys[", number, "] is no key of ", algorithm,
                       algorithm == "RS256" ? " with 2048 bits or more" : ""));
    }
    keys.keys_.push_back({TextOf(object, "kid"), algorithm, {}});
    keys.keys_.back().key.reset(key);
  }
  if (keys.keys_.empty()) {
    return absl::InvalidArgumentError("has no key of RS256, ES256 or EdDSA");
  }
  return keys;
}

bool JsonWebKeys::Verify(const std::string& id, const std::string& algorithm,
                         absl::string_view text,
                         const std::string& signature) const {
  for (const Key& key : keys_) {
    // What a key is for is the file's to say, not the token's.
    if (key.algorithm != algorithm || (!id.empty() && key.id != id)) continue;
    const EVP_MD* const digest = algorithm == "EdDSA" ? nullptr : EVP_sha256();
    const bool good =
        VerifyWith(key.key.get(), digest, text,
                   algorithm == "ES256" ? ToDer(signature) : signature);
    if (good) return true;
  }
  return false;
}

}  // namespace genzo
