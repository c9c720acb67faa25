#ifndef GENZO_GATEWAY_HTTP_CERTIFICATE_H_
#define GENZO_GATEWAY_HTTP_CERTIFICATE_H_

#include <memory>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "base/watched_file.h"
#include "boost/asio/ssl/context.hpp"

namespace genzo {

// A certificate chain and its key, two PEM files that others replace by
// renaming new ones over them. Thread-safe.
class HttpCertificate {
 public:
  // INVALID_ARGUMENT, naming the file, if they cannot be used.
  static absl::StatusOr<std::unique_ptr<HttpCertificate>> Open(
      const std::string& certificate, const std::string& key);

  // What a new connection is to be encrypted with: as the files are now, or,
  // while they cannot be used together, which the log says, as they were when
  // they could.
  std::shared_ptr<boost::asio::ssl::context> Context()
      ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  HttpCertificate(const std::string& certificate, const std::string& key)
      : certificate_(certificate), key_(key) {}
  absl::Status Read() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  absl::Mutex mutex_;
  WatchedFile certificate_ ABSL_GUARDED_BY(mutex_);
  WatchedFile key_ ABSL_GUARDED_BY(mutex_);
  std::shared_ptr<boost::asio::ssl::context> context_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace genzo

#endif  // GENZO_GATEWAY_HTTP_CERTIFICATE_H_
