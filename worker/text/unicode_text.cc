#include "worker/text/unicode_text.h"

#include <unicode/locid.h>
#include <unicode/normalizer2.h>
#include <unicode/uchar.h>
#include <unicode/unistr.h>
#include <unicode/utf8.h>

#include <algorithm>

namespace genzo {
namespace {

using icu::UnicodeString;

enum class Kind { kSpace, kLetter, kNumber, kOther };

Kind KindOf(UChar32 c) {
  if (u_isUWhiteSpace(c)) return Kind::kSpace;
  const uint32_t category = U_GET_GC_MASK(c);
  if ((category & U_GC_L_MASK) != 0) return Kind::kLetter;
  if ((category & U_GC_N_MASK) != 0) return Kind::kNumber;
  return Kind::kOther;
}

// A contraction at the start of `text`, or "".
std::string_view Contraction(std::string_view text) {
  for (const char* suffix : {"'s", "'t", "'re", "'ve", "'m", "'ll", "'d"}) {
    if (text.starts_with(suffix)) return suffix;
  }
  return "";
}

// Decodes UTF-8 that NormalizeText made, so it is well-formed.
UChar32 CodePointAt(std::string_view text, size_t position, size_t& length) {
  const auto byte = [&](size_t i) {
    return static_cast<unsigned char>(text[position + i]);
  };
  const unsigned char first = byte(0);
  length = first < 0x80 ? 1 : first < 0xE0 ? 2 : first < 0xF0 ? 3 : 4;
  UChar32 c = length == 1 ? first : first & (0xFF >> (length + 1));
  for (size_t i = 1; i < length; ++i) c = (c << 6) | (byte(i) & 0x3F);
  return c;
}

// Bytes of the piece that starts `text`, whose first code point is no space.
size_t PieceBytes(std::string_view text) {
  const std::string_view contraction = Contraction(text);
  if (!contraction.empty()) return contraction.size();
  size_t length = 0;
  const Kind kind = KindOf(CodePointAt(text, 0, length));
  if (kind == Kind::kNumber) return length;
  size_t end = length;
  while (end < text.size() && KindOf(CodePointAt(text, end, length)) == kind) {
    end += length;
  }
  return end;
}

}  // namespace

std::string PrintableText(std::string_view text, size_t max_bytes) {
  constexpr char kReplacement[] = "\uFFFD";
  std::string printable;
  const auto size = static_cast<int32_t>(std::min(text.size(), max_bytes + 4));
  for (int32_t i = 0; i < size;) {
    const int32_t begin = i;
    UChar32 c = 0;
    U8_NEXT(text.data(), i, size, c);
    const bool shown =
        c >= 0 && (U_GET_GC_MASK(c) & (U_GC_CC_MASK | U_GC_CF_MASK)) == 0;
    const std::string_view next =
        shown ? text.substr(begin, i - begin) : kReplacement;
    if (printable.size() + next.size() > max_bytes) return printable + "...";
    printable += next;
  }
  return printable;
}

std::string NormalizeText(std::string_view text) {
  const UnicodeString raw = UnicodeString::fromUTF8(
      icu::StringPiece(text.data(), static_cast<int32_t>(text.size())));
  UErrorCode error = U_ZERO_ERROR;
  const auto* nfc = icu::Normalizer2::getNFCInstance(error);
  UnicodeString composed = nfc->normalize(raw, error);
  if (U_FAILURE(error)) composed = raw;
  UnicodeString result;
  bool in_space = false;
  for (int32_t i = 0; i < composed.length();) {
    const UChar32 c = composed.char32At(i);
    i += U16_LENGTH(c);
    const bool space = u_isUWhiteSpace(c);
    if (space && !in_space) result.append(static_cast<UChar32>(' '));
    if (!space) result.append(UnicodeString(c).toLower(icu::Locale::getRoot()));
    in_space = space;
  }
  std::string utf8;
  result.toUTF8String(utf8);
  return utf8;
}

std::vector<std::string> SplitWords(std::string_view text) {
  std::vector<std::string> words;
  size_t position = 0;
  while (position < text.size()) {
    size_t length = 0;
    if (KindOf(CodePointAt(text, position, length)) == Kind::kSpace) {
      position += length;
      continue;
    }
    length = PieceBytes(text.substr(position));
    words.emplace_back(text.substr(position, length));
    position += length;
  }
  return words;
}

}  // namespace genzo
