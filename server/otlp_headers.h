#ifndef GENZO_SERVER_OTLP_HEADERS_H_
#define GENZO_SERVER_OTLP_HEADERS_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "base/watched_file.h"

namespace genzo {

// The lines of `text`, "name: value" each, as HTTP wants them; empty ones are
// left out. INVALID_ARGUMENT, naming the line by its number and never by what
// it says, if one is no header or is one that the exporter sets itself. Pure.
absl::StatusOr<std::vector<std::string>> ParseHeaders(const std::string& text);

// What collectors that want a key are sent with every request: a file that may
// be replaced at any time. For one thread at a time.
class OtlpHeaders {
 public:
  // `path` may be empty: no headers.
  explicit OtlpHeaders(const std::string& path) : file_(path) {}

  // NOT_FOUND or INVALID_ARGUMENT if a file that is named is of no use.
  static absl::Status Check(const std::string& path);

  // Of the file as it is now or, while it is of no use, which the log says, as
  // it was before.
  const std::vector<std::string>& Lines();

 private:
  WatchedFile file_;
  std::vector<std::string> lines_;
};

}  // namespace genzo

#endif  // GENZO_SERVER_OTLP_HEADERS_H_
