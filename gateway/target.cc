#include "gateway/target.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "base/utf8.h"
// The whole library: Debian's is a package of its own.
#include "boost/url/src.hpp"

namespace genzo {
namespace {

absl::Status Bad(const std::string& why) {
  return absl::InvalidArgumentError(absl::StrCat("the request's path ", why));
}

absl::Status CheckPath(const std::string& path) {
  if (path.empty() || path[0] != '/') return Bad("does not begin with /");
  if (!IsUtf8(path)) return Bad("is not UTF-8");
  for (const unsigned char c : path) {
    if (c < 0x20 || c == 0x7F || c == '\\') {
      return Bad("holds a control character or a backslash");
    }
  }
  for (const absl::string_view segment : absl::StrSplit(path, '/')) {
    if (segment == "." || segment == "..") return Bad("has a segment of dots");
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<Target> ParseTarget(absl::string_view text) {
  if (text.empty()) return Bad("is missing");
  if (text == "*") return Target{"*", {}};
  const auto parsed =
      boost::urls::parse_uri_reference({text.data(), text.size()});
  if (!parsed.has_value()) return Bad("is not a URL's");
  const boost::urls::url_view url = *parsed;
  // "//host/path" would be another host's.
  if (url.has_authority() != url.has_scheme() || url.has_fragment()) {
    return Bad("is not a URL's");
  }
  // An encoded slash would be one in the path below.
  if (url.encoded_path().find("%2F") != std::string::npos ||
      url.encoded_path().find("%2f") != std::string::npos) {
    return Bad("holds an encoded /");
  }
  Target target;
  const auto path = url.path();
  target.path = std::string(path.begin(), path.end());
  if (target.path.empty()) target.path = "/";
  const absl::Status status = CheckPath(target.path);
  if (!status.ok()) return status;
  for (const auto& parameter : url.params()) {
    target.query[std::string(parameter.key)] = std::string(parameter.value);
  }
  return target;
}

}  // namespace genzo
