#ifndef GENZO_GATEWAY_HTTP_CERTIFICATE_FILES_H_
#define GENZO_GATEWAY_HTTP_CERTIFICATE_FILES_H_

#include <string>

namespace genzo {

// The PEM files of a door with TLS, empty where there is none.
struct HttpCertificateFiles {
  std::string certificate = {};  // chain, the door's own first
  std::string key = {};
  // Of those who sign clients' certificates; empty: clients need none.
  std::string client_ca = {};
};

}  // namespace genzo

#endif  // GENZO_GATEWAY_HTTP_CERTIFICATE_FILES_H_
