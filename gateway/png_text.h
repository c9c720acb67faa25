#ifndef GENZO_GATEWAY_PNG_TEXT_H_
#define GENZO_GATEWAY_PNG_TEXT_H_

#include <map>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace genzo {

// The texts in a PNG file by their keys ("parameters"), as UTF-8. Decodes no
// pixels. INVALID_ARGUMENT if it is no PNG or broken. Pure.
absl::StatusOr<std::map<std::string, std::string>> ReadPngTexts(
    absl::string_view file);

}  // namespace genzo

#endif  // GENZO_GATEWAY_PNG_TEXT_H_
