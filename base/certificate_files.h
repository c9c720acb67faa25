#ifndef GENZO_BASE_CERTIFICATE_FILES_H_
#define GENZO_BASE_CERTIFICATE_FILES_H_

#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "base/config.h"

namespace genzo {

// What gRPC does not say of the files it is given: it starts with unreadable
// ones and lets every connection fail. `name` is the setting that named the
// file, for the message. FAILED_PRECONDITION if a file is of no use.

// That `path` holds at least one PEM certificate, and none that is broken.
absl::Status CheckCertificate(const std::string& name, const std::string& path);

// That `key` holds the PEM key of the first certificate in `certificate`.
absl::Status CheckKeyOfCertificate(const std::string& certificate_name,
                                   const std::string& certificate,
                                   const std::string& key_name,
                                   const std::string& key);

// What a server's files said when they were read, PEM; the key is that of the
// first certificate.
struct TlsFiles {
  std::string certificate;
  std::string key;
  std::string client_ca;  // empty: clients need no certificate
  bool operator==(const TlsFiles&) const = default;
};

// The bytes that are returned are those that were looked at: files that change
// meanwhile are no others. FAILED_PRECONDITION, naming the setting, if they are
// of no use together.
absl::StatusOr<TlsFiles> ReadTlsFiles(const TlsConfig& tls);

// When the first certificate of a PEM text expires; InfiniteFuture if there is
// none. Those after it, of authorities, outlive it as a rule.
absl::Time ExpiryOf(const std::string& pem);

}  // namespace genzo

#endif  // GENZO_BASE_CERTIFICATE_FILES_H_
