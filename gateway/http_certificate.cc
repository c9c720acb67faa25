#include "gateway/http_certificate.h"

#include "absl/strings/str_cat.h"
#include "base/logging.h"
#include "boost/asio/buffer.hpp"

namespace genzo {

namespace asio = boost::asio;
using boost::system::error_code;

absl::StatusOr<std::unique_ptr<HttpCertificate>> HttpCertificate::Open(
    const std::string& certificate, const std::string& key) {
  std::unique_ptr<HttpCertificate> made(new HttpCertificate(certificate, key));
  absl::MutexLock lock(&made->mutex_);
  const absl::Status read = made->Read();
  if (!read.ok()) return read;
  return made;
}

absl::Status HttpCertificate::Read() {
  const auto context =
      std::make_shared<asio::ssl::context>(asio::ssl::context::tls_server);
  error_code error;
  context->set_options(
      asio::ssl::context::default_workarounds | asio::ssl::context::no_tlsv1 |
          asio::ssl::context::no_tlsv1_1 | asio::ssl::context::no_sslv2 |
          asio::ssl::context::no_sslv3,
      error);
  const auto unusable = [](const char* field, const WatchedFile& file,
                           const std::string& why) {
    return absl::InvalidArgumentError(
        absl::StrCat(field, " ", file.path(), " cannot be used: ", why));
  };
  const auto chain = certificate_.Read();
  if (!chain.has_value()) {
    return unusable("http.certificate", certificate_, "it cannot be read");
  }
  context->use_certificate_chain(asio::buffer(*chain), error);
  if (error) {
    return unusable("http.certificate", certificate_, error.message());
  }
  const auto key = key_.Read();
  if (!key.has_value()) return unusable("http.key", key_, "it cannot be read");
  // Refuses the key of another certificate.
  context->use_private_key(asio::buffer(*key), asio::ssl::context::pem, error);
  if (error) return unusable("http.key", key_, error.message());
  context_ = context;
  return absl::OkStatus();
}

std::shared_ptr<asio::ssl::context> HttpCertificate::Context() {
  absl::MutexLock lock(&mutex_);
  const bool other_chain = certificate_.Changed().has_value();
  const bool other_key = key_.Changed().has_value();
  if (other_chain || other_key) {
    const absl::Status read = Read();
    if (read.ok()) {
      spdlog::info("http: {} is taken over", certificate_.path());
    } else {
      // The other of the two may be on its way.
      spdlog::warn("http: the certificate stays as it was: {}",
                   std::string(read.message()));
    }
  }
  return context_;
}

}  // namespace genzo
