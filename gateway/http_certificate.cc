#include "gateway/http_certificate.h"

#include "absl/strings/str_cat.h"
#include "base/certificate_files.h"
#include "base/logging.h"
#include "boost/asio/buffer.hpp"
#include "openssl/ssl.h"

namespace genzo {

namespace asio = boost::asio;
using boost::system::error_code;

namespace {

absl::Status Unusable(const char* field, const WatchedFile& file,
                      const std::string& why) {
  return absl::InvalidArgumentError(
      absl::StrCat(field, " ", file.path(), " cannot be used: ", why));
}

}  // namespace

HttpCertificate::HttpCertificate(const HttpCertificateFiles& files)
    : certificate_(files.certificate), key_(files.key) {
  if (!files.client_ca.empty()) client_ca_.emplace(files.client_ca);
}

absl::StatusOr<std::unique_ptr<HttpCertificate>> HttpCertificate::Open(
    const HttpCertificateFiles& files) {
  std::unique_ptr<HttpCertificate> made(new HttpCertificate(files));
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
  const auto chain = certificate_.Read();
  if (!chain.has_value()) {
    return Unusable("http.certificate", certificate_, "it cannot be read");
  }
  context->use_certificate_chain(asio::buffer(*chain), error);
  if (error) {
    return Unusable("http.certificate", certificate_, error.message());
  }
  const auto key = key_.Read();
  if (!key.has_value()) return Unusable("http.key", key_, "it cannot be read");
  // Refuses the key of another certificate.
  context->use_private_key(asio::buffer(*key), asio::ssl::context::pem, error);
  if (error) return Unusable("http.key", key_, error.message());
  const absl::Status asks = AskForCertificates(*context);
  if (!asks.ok()) return asks;
  context_ = context;
  expiry_ = ExpiryOf(*chain);
  return absl::OkStatus();
}

absl::Status HttpCertificate::AskForCertificates(asio::ssl::context& context) {
  if (!client_ca_.has_value()) return absl::OkStatus();
  constexpr char kField[] = "http.client_ca_file";
  const auto authorities = client_ca_->Read();
  if (!authorities.has_value()) {
    return Unusable(kField, *client_ca_, "it cannot be read");
  }
  error_code error;
  context.add_certificate_authority(asio::buffer(*authorities), error);
  if (error) return Unusable(kField, *client_ca_, error.message());
  context.set_verify_mode(
      asio::ssl::verify_peer | asio::ssl::verify_fail_if_no_peer_cert, error);
  SSL_CTX* native = context.native_handle();
  // Browsers offer the certificates of whom they are told of.
  const auto* trusted = X509_STORE_get0_objects(SSL_CTX_get_cert_store(native));
  for (int i = 0; i < sk_X509_OBJECT_num(trusted); ++i) {
    X509* one = X509_OBJECT_get0_X509(sk_X509_OBJECT_value(trusted, i));
    if (one != nullptr) SSL_CTX_add_client_CA(native, one);
  }
  // OpenSSL ends every session that is taken up again without a name of what it
  // was verified for.
  constexpr unsigned char kSessions[] = "genzo";
  SSL_CTX_set_session_id_context(native, kSessions, sizeof(kSessions) - 1);
  return absl::OkStatus();
}

std::shared_ptr<asio::ssl::context> HttpCertificate::Context() {
  absl::MutexLock lock(&mutex_);
  TakeChanged();
  return context_;
}

HttpCertificateState HttpCertificate::State() {
  absl::MutexLock lock(&mutex_);
  TakeChanged();
  const bool some_lack = certificate_.CannotBeRead() || key_.CannotBeRead() ||
                         (client_ca_.has_value() && client_ca_->CannotBeRead());
  return {.in_force = was_taken_ && !some_lack, .expiry = expiry_};
}

void HttpCertificate::TakeChanged() {
  const bool other_chain = certificate_.Changed().has_value();
  const bool other_key = key_.Changed().has_value();
  const bool other_ca =
      client_ca_.has_value() && client_ca_->Changed().has_value();
  if (other_chain || other_key || other_ca) {
    const absl::Status read = Read();
    was_taken_ = read.ok();
    if (read.ok()) {
      spdlog::info("http: {} is taken over", certificate_.path());
      if (other_ca) spdlog::info("http: {} is taken over", client_ca_->path());
    } else {
      // The others of them may be on their way.
      spdlog::warn("http: the certificate stays as it was: {}",
                   std::string(read.message()));
    }
  }
}

}  // namespace genzo
