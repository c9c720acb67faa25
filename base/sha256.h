#ifndef GENZO_BASE_SHA256_H_
#define GENZO_BASE_SHA256_H_

#include <string>

#include "absl/strings/string_view.h"

namespace genzo {

// The SHA-256 digest of `bytes`, 32 bytes. Pure.
std::string Sha256(absl::string_view bytes);

}  // namespace genzo

#endif  // GENZO_BASE_SHA256_H_
