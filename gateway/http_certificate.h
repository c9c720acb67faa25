#ifndef GENZO_GATEWAY_HTTP_CERTIFICATE_H_
#define GENZO_GATEWAY_HTTP_CERTIFICATE_H_

#include <memory>
#include <optional>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "base/watched_file.h"
#include "boost/asio/ssl/context.hpp"
#include "gateway/http_certificate_files.h"

namespace genzo {

// A certificate chain, its key and the authorities of clients, files that
// others replace by renaming new ones over them. Thread-safe.
class HttpCertificate {
 public:
  // INVALID_ARGUMENT, naming the file, if they cannot be used.
  static absl::StatusOr<std::unique_ptr<HttpCertificate>> Open(
      const HttpCertificateFiles& files);

  // What a new connection is to be encrypted with: as the files are now, or,
  // while they cannot be used together, which the log says, as they were when
  // they could. With authorities of clients, a client without a certificate of
  // one of them gets no further than the handshake.
  std::shared_ptr<boost::asio::ssl::context> Context()
      ABSL_LOCKS_EXCLUDED(mutex_);

  // Looks at the files as Context() does.
  HttpCertificateState State() ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  explicit HttpCertificate(const HttpCertificateFiles& files);
  absl::Status Read() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void TakeChanged() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::Status AskForCertificates(boost::asio::ssl::context& context)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  absl::Mutex mutex_;
  WatchedFile certificate_ ABSL_GUARDED_BY(mutex_);
  WatchedFile key_ ABSL_GUARDED_BY(mutex_);
  std::optional<WatchedFile> client_ca_ ABSL_GUARDED_BY(mutex_);
  bool was_taken_ ABSL_GUARDED_BY(mutex_) = true;  // what was last read
  absl::Time expiry_ ABSL_GUARDED_BY(mutex_);
  std::shared_ptr<boost::asio::ssl::context> context_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace genzo

#endif  // GENZO_GATEWAY_HTTP_CERTIFICATE_H_
