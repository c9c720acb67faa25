#ifndef GENZO_GATEWAY_HTTP_CERTIFICATE_FILES_H_
#define GENZO_GATEWAY_HTTP_CERTIFICATE_FILES_H_

#include <string>

#include "absl/time/time.h"

namespace genzo {

// The PEM files of a door with TLS, empty where there is none.
struct HttpCertificateFiles {
  std::string certificate = {};  // chain, the door's own first
  std::string key = {};
  // Of those who sign clients' certificates; empty: clients need none.
  std::string client_ca = {};
};

// What became of them.
struct HttpCertificateState {
  bool in_force = true;                        // as they lie on disk
  absl::Time expiry = absl::InfiniteFuture();  // of what is in force
};

}  // namespace genzo

#endif  // GENZO_GATEWAY_HTTP_CERTIFICATE_FILES_H_
