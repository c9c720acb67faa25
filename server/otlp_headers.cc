#include "server/otlp_headers.h"

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"

namespace genzo {
namespace {

bool IsOfName(char c) { return absl::ascii_isalnum(c) || c == '-' || c == '_'; }
bool IsControl(char c) { return absl::ascii_iscntrl(c) && c != '\t'; }

bool IsHeader(absl::string_view line) {
  const size_t colon = line.find(':');
  if (colon == absl::string_view::npos || colon == 0) return false;
  const auto name = line.substr(0, colon);
  const auto value = absl::StripAsciiWhitespace(line.substr(colon + 1));
  return std::all_of(name.begin(), name.end(), IsOfName) && !value.empty() &&
         std::none_of(value.begin(), value.end(), IsControl);
}

bool IsOurs(absl::string_view line) {
  const std::string name =
      absl::AsciiStrToLower(line.substr(0, line.find(':')));
  return name == "content-type" || name == "content-length" ||
         name == "transfer-encoding" || name == "host";
}

}  // namespace

absl::StatusOr<std::vector<std::string>> ParseHeaders(const std::string& text) {
  std::vector<std::string> headers;
  int number = 0;
  for (absl::string_view line : absl::StrSplit(text, '\n')) {
    ++number;
    line = absl::StripAsciiWhitespace(line);
    if (line.empty()) continue;
    if (!IsHeader(line)) {
      return absl::InvalidArgumentError(
          absl::StrCat("line ", number, " is not \"name: value\""));
    }
    if (IsOurs(line)) {
      return absl::InvalidArgumentError(
          absl::StrCat("line ", number, " is a header that Genzo sets"));
    }
    headers.emplace_back(line);
  }
  return headers;
}

absl::Status OtlpHeaders::Check(const std::string& path) {
  if (path.empty()) return absl::OkStatus();
  const auto text = WatchedFile(path).Read();
  if (!text.has_value()) {
    return absl::NotFoundError(
        absl::StrCat("tracing.headers_file ", path, " cannot be read"));
  }
  const absl::Status parsed = ParseHeaders(*text).status();
  if (parsed.ok()) return parsed;
  return absl::InvalidArgumentError(
      absl::StrCat("tracing.headers_file ", path, ": ", parsed.message()));
}

const std::vector<std::string>& OtlpHeaders::Lines() {
  if (file_.path().empty()) return lines_;
  file_.TakeChanged("headers", [this](const std::string& text) {
    auto headers = ParseHeaders(text);
    if (headers.ok()) lines_ = *std::move(headers);
    return headers.status();
  });
  return lines_;
}

}  // namespace genzo
