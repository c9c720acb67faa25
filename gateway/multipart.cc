#include "gateway/multipart.h"

#include <optional>

#include "absl/algorithm/container.h"
#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "base/utf8.h"

namespace genzo {
namespace {

constexpr size_t kMaxBoundaryBytes = 70;
constexpr size_t kMaxHeaderBytes = 4096;
constexpr int kMaxHeaders = 8;
constexpr absl::string_view kLineEnd = "\r\n";

absl::Status Bad(const std::string& why) {
  return absl::InvalidArgumentError(absl::StrCat("the form ", why));
}

bool IsToken(absl::string_view text) {
  if (text.empty()) return false;
  for (const char c : text) {
    if (!absl::ascii_isalnum(c) && !absl::StrContains("!#$&-^_.+*'%`|~", c)) {
      return false;
    }
  }
  return true;
}

// Takes the `value` or "value" at the head of `text`. nullopt if there is none.
// Browsers write %22, %0D and %0A for what may not stand in quotes; others a
// backslash before a quote.
std::optional<std::string> TakeValue(absl::string_view& text) {
  if (!absl::ConsumePrefix(&text, "\"")) {
    const absl::string_view token = text.substr(0, text.find_first_of("; \t"));
    if (!IsToken(token)) return std::nullopt;
    text.remove_prefix(token.size());
    return std::string(token);
  }
  std::string value;
  for (size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (c == '"') {
      text.remove_prefix(i + 1);
      return value;
    }
    const bool is_escape = c == '\\' && i + 1 < text.size() &&
                           (text[i + 1] == '"' || text[i + 1] == '\\');
    value.push_back(is_escape ? text[++i] : c);
  }
  return std::nullopt;
}

// Calls `take(name, value)` for each "; name=value" of `text`; false if it is
// anything else.
template <typename Take>
bool ReadParameters(absl::string_view text, Take take) {
  while (true) {
    text = absl::StripLeadingAsciiWhitespace(text);
    if (text.empty()) return true;
    if (!absl::ConsumePrefix(&text, ";")) return false;
    text = absl::StripLeadingAsciiWhitespace(text);
    const size_t equals = text.find('=');
    if (equals == absl::string_view::npos || !IsToken(text.substr(0, equals))) {
      return false;
    }
    const std::string name = absl::AsciiStrToLower(text.substr(0, equals));
    text.remove_prefix(equals + 1);
    const auto value = TakeValue(text);
    if (!value.has_value() || !take(name, *value)) return false;
  }
}

absl::Status ReadDisposition(absl::string_view value, FormPart& part) {
  if (!absl::ConsumePrefix(&value, "form-data")) {
    return Bad("has a part that is not form-data");
  }
  bool has_name = false;
  const bool is_sound = ReadParameters(
      value, [&](const std::string& name, const std::string& parameter) {
        if (name == "name") {
          if (std::exchange(has_name, true)) return false;
          part.name = parameter;
        } else if (name == "filename") {
          part.file_name = parameter.empty() ? "file" : parameter;
        }
        return true;
      });
  if (!is_sound || !has_name || part.name.empty() || !IsUtf8(part.name)) {
    return Bad("has a part whose Content-Disposition has no sound name");
  }
  return absl::OkStatus();
}

// `head`: lines, each with its end.
absl::Status ReadHead(absl::string_view head, FormPart& part) {
  bool has_disposition = false;
  for (int count = 0; !head.empty(); ++count) {
    if (count == kMaxHeaders) {
      return Bad(
          absl::StrCat("has a part with more than ", kMaxHeaders, " headers"));
    }
    const size_t end = head.find(kLineEnd);
    const absl::string_view line = head.substr(0, end);
    head.remove_prefix(end + kLineEnd.size());
    const size_t colon = line.find(':');
    if (colon == absl::string_view::npos || !IsToken(line.substr(0, colon))) {
      return Bad("has a part with a header that is none");
    }
    const auto value = absl::StripAsciiWhitespace(line.substr(colon + 1));
    const std::string name = absl::AsciiStrToLower(line.substr(0, colon));
    if (name == "content-disposition") {
      if (std::exchange(has_disposition, true)) {
        return Bad("has a part with two Content-Dispositions");
      }
      const absl::Status status = ReadDisposition(value, part);
      if (!status.ok()) return status;
    } else if (name == "content-type") {
      part.content_type = absl::AsciiStrToLower(value);
    } else if (name == "content-transfer-encoding" &&
               !absl::EqualsIgnoreCase(value, "binary") &&
               !absl::EqualsIgnoreCase(value, "8bit") &&
               !absl::EqualsIgnoreCase(value, "7bit")) {
      return Bad("has a part with a Content-Transfer-Encoding");
    }
  }
  if (has_disposition) return absl::OkStatus();
  return Bad("has a part without a Content-Disposition");
}

}  // namespace

std::string BoundaryOf(absl::string_view content_type) {
  absl::string_view rest = content_type;
  constexpr absl::string_view kType = "multipart/form-data";
  if (!absl::StartsWithIgnoreCase(rest, kType)) return "";
  rest.remove_prefix(kType.size());
  std::string boundary;
  const bool is_sound = ReadParameters(
      rest, [&](const std::string& name, const std::string& value) {
        if (name != "boundary") return true;
        if (!boundary.empty()) return false;
        boundary = value;
        return true;
      });
  const auto is_allowed = [](char c) {
    return absl::ascii_isalnum(c) || absl::StrContains("'()+_,-./:=? ", c);
  };
  if (!is_sound || boundary.empty() || boundary.size() > kMaxBoundaryBytes ||
      boundary.back() == ' ' || !absl::c_all_of(boundary, is_allowed)) {
    return "";
  }
  return boundary;
}

absl::StatusOr<std::vector<FormPart>> ParseForm(absl::string_view body,
                                                absl::string_view boundary) {
  const std::string delimiter = absl::StrCat("\r\n--", boundary);
  if (!absl::ConsumePrefix(&body, absl::StrCat("--", boundary))) {
    return Bad("does not begin with its boundary");
  }
  std::vector<FormPart> parts;
  while (absl::ConsumePrefix(&body, kLineEnd)) {
    if (parts.size() == kMaxFormParts) {
      return Bad(absl::StrCat("has more than ", kMaxFormParts, " parts"));
    }
    // An empty line ends the headers.
    const size_t head_end =
        body.substr(0, kMaxHeaderBytes + 4).find("\r\n\r\n");
    if (head_end == absl::string_view::npos) {
      return Bad(absl::StrCat("has a part without headers, or with more than ",
                              kMaxHeaderBytes, " bytes of them"));
    }
    FormPart part;
    const absl::Status status =
        ReadHead(body.substr(0, head_end + kLineEnd.size()), part);
    if (!status.ok()) return status;
    body.remove_prefix(head_end + 2 * kLineEnd.size());
    const size_t end = body.find(delimiter);
    if (end == absl::string_view::npos) {
      return Bad("ends before its last boundary");
    }
    part.content = body.substr(0, end);
    body.remove_prefix(end + delimiter.size());
    parts.push_back(std::move(part));
  }
  if (!absl::ConsumePrefix(&body, "--") ||
      (!body.empty() && body != kLineEnd)) {
    return Bad("does not end with its last boundary");
  }
  return parts;
}

}  // namespace genzo
