#include "base/utf8.h"

#include "absl/strings/str_cat.h"
#include "unicode/uchar.h"
#include "unicode/utf8.h"

namespace genzo {
namespace {

constexpr absl::string_view kReplacement = "\xEF\xBF\xBD";

// Calls `visit(code point, its bytes)`; the code point is negative for a byte
// that is not part of valid UTF-8.
template <typename Visit>
void ForEachCharacter(absl::string_view text, Visit visit) {
  const auto size = static_cast<int32_t>(text.size());
  for (int32_t i = 0; i < size;) {
    const int32_t begin = i;
    UChar32 character = 0;
    U8_NEXT(text.data(), i, size, character);
    if (character < 0) i = begin + 1;
    visit(character, text.substr(begin, i - begin));
  }
}

bool ChangesDirection(UChar32 c) {
  return u_hasBinaryProperty(c, UCHAR_BIDI_CONTROL) != 0;
}

}  // namespace

bool IsUtf8(absl::string_view text) {
  bool valid = true;
  ForEachCharacter(
      text, [&](UChar32 c, absl::string_view) { valid = valid && c >= 0; });
  return valid;
}

std::string ToUtf8(absl::string_view text) {
  std::string result;
  ForEachCharacter(text, [&](UChar32 c, absl::string_view bytes) {
    absl::StrAppend(&result, c >= 0 ? bytes : kReplacement);
  });
  return result;
}

std::string Printable(absl::string_view text) {
  std::string result;
  ForEachCharacter(text, [&](UChar32 c, absl::string_view bytes) {
    const bool shown = c >= 0 && u_isISOControl(c) == 0 && !ChangesDirection(c);
    absl::StrAppend(&result, shown ? bytes : kReplacement);
  });
  return result;
}

}  // namespace genzo
