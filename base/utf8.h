#ifndef GENZO_BASE_UTF8_H_
#define GENZO_BASE_UTF8_H_

#include <string>

#include "absl/strings/string_view.h"

namespace genzo {

// Whether `text` is valid UTF-8. Pure.
bool IsUtf8(absl::string_view text);

// `text` with U+FFFD in place of each byte that is not part of valid UTF-8.
// Pure.
std::string ToUtf8(absl::string_view text);

// `text` fit to be shown on a terminal and as a file's name: bytes that are not
// UTF-8, control characters (C0, DEL, C1) and marks that change the direction
// of writing become U+FFFD. Pure.
std::string Printable(absl::string_view text);

}  // namespace genzo

#endif  // GENZO_BASE_UTF8_H_
