#ifndef GENZO_SERVER_JOBS_HTTPS_POST_H_
#define GENZO_SERVER_JOBS_HTTPS_POST_H_

#include <netinet/in.h>
#include <sys/socket.h>

#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "server/transfer_end.h"

namespace genzo {

// An https URL, as far as it matters whom it reaches.
struct HttpsTarget {
  std::string url;
  std::string host;  // "host:port", in lower case
};

// INVALID_ARGUMENT for what is no https URL of at most 2,048 bytes, and for
// one with a user, a password or a fragment. Pure.
absl::StatusOr<HttpsTarget> ParseHttpsUrl(const std::string& url);

// Whether the address is one of the internet at large: not of this machine, of
// a private network, of a link, of many, or reserved. Pure.
bool IsPublicAddress(const sockaddr* address);

// One request.
struct HttpsRequest {
  HttpsTarget target;
  std::vector<std::pair<std::string, std::string>> headers;
  std::string body;
  bool may_be_private = false;       // the address that the host has
  std::string ca_file = {};          // PEM; empty: those of the system
  const TransferEnd* end = nullptr;  // null: there is none
};

// Posts JSON and returns the answer's code. Follows no redirect, uses no proxy,
// connects to no address that is not public unless it may, waits 10 s at most
// and not beyond the request's end. UNAVAILABLE if there was no answer.
// Thread-safe.
absl::StatusOr<int> PostHttps(const HttpsRequest& request);

}  // namespace genzo

#endif  // GENZO_SERVER_JOBS_HTTPS_POST_H_
