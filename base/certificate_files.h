#ifndef GENZO_BASE_CERTIFICATE_FILES_H_
#define GENZO_BASE_CERTIFICATE_FILES_H_

#include <string>

#include "absl/status/status.h"

namespace genzo {

// What gRPC does not say of the files it is given: it starts with unreadable
// ones and lets every connection fail. `name` is the setting that named the
// file, for the message. FAILED_PRECONDITION if a file is of no use.

// That `path` holds at least one PEM certificate.
absl::Status CheckCertificate(const std::string& name, const std::string& path);

// That `key` holds the PEM key of the first certificate in `certificate`.
absl::Status CheckKeyOfCertificate(const std::string& certificate_name,
                                   const std::string& certificate,
                                   const std::string& key_name,
                                   const std::string& key);

}  // namespace genzo

#endif  // GENZO_BASE_CERTIFICATE_FILES_H_
