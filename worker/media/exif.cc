#include "worker/media/exif.h"

#include <cstdint>
#include <vector>

#include "absl/strings/str_cat.h"
#include "unicode/unistr.h"

namespace genzo {
namespace {

using std::string_literals::operator""s;

// Exif 2.32, 4.6.2 and 4.6.6.
enum Tag : uint16_t {
  kSoftware = 0x0131,
  kExifDirectory = 0x8769,
  kExifVersion = 0x9000,
  kUserComment = 0x9286,
};
enum Type : uint16_t { kAscii = 2, kLong = 4, kUndefined = 7 };

// A value of up to four bytes stands in its entry, a longer one elsewhere.
constexpr size_t kInlineBytes = 4;
constexpr size_t kEntryBytes = 12;
constexpr uint32_t kHeaderBytes = 8;
// Header, both directories and their other values are far below this.
constexpr size_t kBytesBesidesTexts = 128;
constexpr size_t kMaxSoftwareBytes = 256;
constexpr size_t kMaxCommentUnits =
    (kMaxExifBytes - kBytesBesidesTexts - kMaxSoftwareBytes) / 2;

struct Entry {
  Tag tag;
  Type type;
  std::string value;
};

std::string BigEndian16(uint16_t value) {
  return {static_cast<char>(value >> 8), static_cast<char>(value)};
}

std::string BigEndian32(uint32_t value) {
  return BigEndian16(value >> 16) + BigEndian16(value & 0xFFFF);
}

size_t DirectoryBytes(size_t entries) { return 2 + entries * kEntryBytes + 4; }

// TIFF 6.0, section 2: the directory that stands at `offset`, then its values.
// `entries` are in the order of their tags.
std::string Directory(const std::vector<Entry>& entries, uint32_t offset) {
  std::string head = BigEndian16(entries.size());
  std::string values;
  const size_t values_offset = offset + DirectoryBytes(entries.size());
  for (const Entry& entry : entries) {
    const size_t size = entry.value.size();
    absl::StrAppend(&head, BigEndian16(entry.tag), BigEndian16(entry.type),
                    BigEndian32(entry.type == kLong ? size / 4 : size));
    if (size <= kInlineBytes) {
      absl::StrAppend(&head, entry.value, std::string(kInlineBytes - size, 0));
      continue;
    }
    absl::StrAppend(&head, BigEndian32(values_offset + values.size()));
    absl::StrAppend(&values, entry.value, size % 2 == 1 ? "\0"s : "");
  }
  return absl::StrCat(head, BigEndian32(0), values);  // no further directory
}

std::string UserComment(const std::string& text) {
  icu::UnicodeString utf16 = icu::UnicodeString::fromUTF8(text);
  if (utf16.length() > static_cast<int32_t>(kMaxCommentUnits)) {
    utf16.truncate(utf16.getChar32Start(kMaxCommentUnits));
  }
  std::string comment = "UNICODE\0"s;
  comment.reserve(comment.size() + 2 * utf16.length());
  for (int32_t i = 0; i < utf16.length(); ++i) {
    comment += BigEndian16(utf16.charAt(i));
  }
  return comment;
}

}  // namespace

std::string ExifOf(const PictureText& text) {
  const std::string parameters = TextOf(text, kParametersKey);
  const std::string software = TextOf(text, kSoftwareKey);
  if (parameters.empty() && software.empty()) return "";
  std::vector<Entry> main;
  if (!software.empty()) {
    main.push_back(
        {kSoftware, kAscii, software.substr(0, kMaxSoftwareBytes - 1) + "\0"s});
  }
  main.push_back({kExifDirectory, kLong, BigEndian32(0)});
  std::vector<Entry> exif = {{kExifVersion, kUndefined, "0232"}};
  if (!parameters.empty()) {
    exif.push_back({kUserComment, kUndefined, UserComment(parameters)});
  }
  // Written twice: where the second directory stands depends on the first.
  const uint32_t exif_offset =
      kHeaderBytes + Directory(main, kHeaderBytes).size();
  main.back().value = BigEndian32(exif_offset);
  return absl::StrCat("MM\0*"s, BigEndian32(kHeaderBytes),
                      Directory(main, kHeaderBytes),
                      Directory(exif, exif_offset));
}

}  // namespace genzo
