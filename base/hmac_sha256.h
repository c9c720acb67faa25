#ifndef GENZO_BASE_HMAC_SHA256_H_
#define GENZO_BASE_HMAC_SHA256_H_

#include <string>

#include "absl/strings/string_view.h"

namespace genzo {

// The HMAC-SHA256 (RFC 2104) of `bytes`, 32 bytes. Pure.
std::string HmacSha256(absl::string_view key, absl::string_view bytes);

}  // namespace genzo

#endif  // GENZO_BASE_HMAC_SHA256_H_
