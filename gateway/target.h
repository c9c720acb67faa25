#ifndef GENZO_GATEWAY_TARGET_H_
#define GENZO_GATEWAY_TARGET_H_

#include <map>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace genzo {

// What the first line of a request asks for.
struct Target {
  std::string path;                          // decoded, begins with '/'
  std::map<std::string, std::string> query;  // decoded; the last of a name
};

// Reads "/path?name=value" or "http://host/path"; "*" has the path "*".
// INVALID_ARGUMENT for anything else, and for paths that hold, once decoded,
// control characters, bytes that are not UTF-8 or "." and ".." as a segment:
// nothing behind it has to think of them. Pure.
absl::StatusOr<Target> ParseTarget(absl::string_view text);

}  // namespace genzo

#endif  // GENZO_GATEWAY_TARGET_H_
