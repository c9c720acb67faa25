#ifndef GENZO_GATEWAY_PAGE_H_
#define GENZO_GATEWAY_PAGE_H_

#include <map>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "gateway/router.h"

namespace genzo {

// A folder of built files, read once into memory: what was not there at the
// start is not served, so no path can lead anywhere else. Const, so
// thread-safe.
class Page {
 public:
  // Reads `folder` with what is in it, not following links. NOT_FOUND if it is
  // no folder or has no index.html; RESOURCE_EXHAUSTED over 64 MiB or 4,096
  // files. "NAME.gz" beside NAME is sent in its place to who takes gzip.
  static absl::StatusOr<Page> Read(const std::string& folder);

  std::vector<Route> routes() const;
  size_t size() const { return files_.size(); }

 private:
  struct File {
    std::string bytes;
    std::string gzip;  // empty: none
    std::string type;
    std::string tag;
  };
  void Send(const HttpRequest& request, HttpExchange& exchange) const;

  std::map<std::string, File> files_;  // by path, "/assets/x.js"
};

// "text/css; charset=utf-8" for ".css"; "application/octet-stream" for endings
// that are not known. Pure.
std::string MediaTypeOfFile(const std::string& path);

}  // namespace genzo

#endif  // GENZO_GATEWAY_PAGE_H_
