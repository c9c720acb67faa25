#ifndef GENZO_SERVER_RPC_SERVER_CERTIFICATE_H_
#define GENZO_SERVER_RPC_SERVER_CERTIFICATE_H_

#include <memory>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "base/certificate_files.h"
#include "grpcpp/security/server_credentials.h"

namespace genzo {

// What secures the gRPC doors: a certificate, its key and the authorities of
// clients, files that others replace by renaming new ones over them. gRPC is
// handed only what was read together and looked at. While the files are of no
// use, or one of them is still on its way, what they said before stays in
// force. (gRPC's own FileWatcherCertificateProvider takes over whatever it
// finds, and then lets every connection fail in silence.) Thread-safe, but for
// Refresh().
class ServerCertificate {
 public:
  // FAILED_PRECONDITION, naming the setting, if the files are of no use.
  static absl::StatusOr<std::unique_ptr<ServerCertificate>> Open(
      const TlsConfig& tls);

  // Takes over what the files say now, if that is something else; says in the
  // log that it did or why it would not. To be called every second or so, by
  // one thread at a time.
  void Refresh() ABSL_LOCKS_EXCLUDED(mutex_);

  // Whether the files, as Refresh() found them, are what is in force. As
  // Refresh().
  bool in_force() const { return why_not_.empty(); }
  // When what is in force expires.
  absl::Time expiry() const { return ExpiryOf(files()->certificate); }

  std::shared_ptr<const TlsFiles> files() const ABSL_LOCKS_EXCLUDED(mutex_) {
    absl::MutexLock lock(&mutex_);
    return files_;
  }

  // Of one server. New connections are secured by what is in force when they
  // come. The certificate outlives the credentials, and they the server.
  std::shared_ptr<grpc::ServerCredentials> Credentials() const;

 private:
  ServerCertificate(const TlsConfig& tls, TlsFiles files)
      : tls_(tls), files_(std::make_shared<const TlsFiles>(std::move(files))) {}

  const TlsConfig tls_;
  std::string why_not_;  // said so; of Refresh()
  mutable absl::Mutex mutex_;
  std::shared_ptr<const TlsFiles> files_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace genzo

#endif  // GENZO_SERVER_RPC_SERVER_CERTIFICATE_H_
