#include <unistd.h>

#include <cstdint>
#include <cstdlib>
#include <memory>
#include <string>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "base/clock.h"
#include "openssl/evp.h"
#include "server/access/json_web_keys.h"
#include "server/access/token_checker.h"

namespace {

// The key pair of RFC 8037, appendix A.
constexpr char kKeys[] =
    R"({"keys":[{"kty":"OKP","crv":"Ed25519","kid":"k",)"
    R"("x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]})";
constexpr char kPrivate[] = "nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A";

std::unique_ptr<genzo::TokenChecker> MakeChecker() {
  char path[] = "/tmp/genzo-jwks-XXXXXX";
  const int file = mkstemp(path);
  const bool written =
      write(file, kKeys, sizeof(kKeys) - 1) == sizeof(kKeys) - 1;
  close(file);
  genzo::AuthConfig config;
  config.jwks_file = path;
  config.jwt_issuer = "issuer";
  config.jwt_audience = "audience";
  auto checker = genzo::TokenChecker::Open(config, genzo::Clock::Real());
  unlink(path);
  if (!written || !checker.ok()) std::abort();
  return *std::move(checker);
}

std::string Signed(const std::string& header, const std::string& claims) {
  static EVP_PKEY* const key = [] {
    std::string bytes;
    absl::WebSafeBase64Unescape(kPrivate, &bytes);
    return EVP_PKEY_new_raw_private_key(
        EVP_PKEY_ED25519, nullptr,
        reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size());
  }();
  const std::string text = absl::StrCat(absl::WebSafeBase64Escape(header), ".",
                                        absl::WebSafeBase64Escape(claims));
  std::string signature(64, '\0');
  size_t size = signature.size();
  EVP_MD_CTX* const context = EVP_MD_CTX_new();
  EVP_DigestSignInit(context, nullptr, nullptr, nullptr, key);
  EVP_DigestSign(context, reinterpret_cast<uint8_t*>(signature.data()), &size,
                 reinterpret_cast<const uint8_t*>(text.data()), text.size());
  EVP_MD_CTX_free(context);
  return absl::StrCat(text, ".", absl::WebSafeBase64Escape(signature));
}

}  // namespace

// A token that nobody signed is never taken, whatever it claims; of one that
// was, only what names issuer, audience and a tenant. A file of keys that is
// taken has one.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const auto* const checker = MakeChecker().release();
  const std::string text(reinterpret_cast<const char*>(data), size);
  if (checker->Check(text).ok()) std::abort();
  const auto grant = checker->Check(Signed(R"({"alg":"EdDSA"})", text));
  if (grant.ok() &&
      ((*grant)->tenant.empty() || text.find("issuer") == std::string::npos ||
       text.find("audience") == std::string::npos)) {
    // A JSON text may hide a word behind escapes.
    if (text.find("\\u") == std::string::npos) std::abort();
  }
  if (checker->Check(Signed(text, "{}")).ok()) std::abort();
  const auto keys = genzo::JsonWebKeys::Parse(text);
  if (keys.ok() && keys->size() == 0) std::abort();
  return 0;
}
