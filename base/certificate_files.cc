#include "base/certificate_files.h"

#include <ctime>
#include <memory>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/freed_by.h"
#include "base/watched_file.h"
#include "openssl/err.h"
#include "openssl/pem.h"
#include "openssl/x509.h"

namespace genzo {
namespace {

using Bio = FreedBy<BIO, BIO_free>;
using Certificate = FreedBy<X509, X509_free>;
using PrivateKey = FreedBy<EVP_PKEY, EVP_PKEY_free>;

// A file that a setting names, and what it says; nothing if it cannot be read.
struct File {
  std::string name;
  std::string path;
  std::string text;
};

File ReadFile(const std::string& name, const std::string& path) {
  return {name, path, WatchedFile(path).Read().value_or("")};
}

Bio Open(const std::string& text) {
  return Bio(BIO_new_mem_buf(text.data(), static_cast<int>(text.size())));
}

// OpenSSL would ask whoever sits at the terminal.
int NoPassword(char*, int, int, void*) { return -1; }

Certificate NextCertificate(BIO* text) {
  return Certificate(PEM_read_bio_X509(text, nullptr, NoPassword, nullptr));
}

// Whether reading ended because there is nothing more. Forgets why.
bool IsAtEnd() {
  const unsigned long error = ERR_peek_last_error();
  ERR_clear_error();
  return ERR_GET_LIB(error) == ERR_LIB_PEM &&
         ERR_GET_REASON(error) == PEM_R_NO_START_LINE;
}

absl::StatusOr<Certificate> FirstCertificate(const File& file) {
  const Bio text = Open(file.text);
  Certificate first = NextCertificate(text.get());
  if (first == nullptr) {
    ERR_clear_error();
    return absl::FailedPreconditionError(absl::StrCat(
        file.name, " ", file.path, " has no readable PEM certificate"));
  }
  while (NextCertificate(text.get()) != nullptr) {
  }
  if (IsAtEnd()) return first;
  return absl::FailedPreconditionError(absl::StrCat(
      file.name, " ", file.path, " has a PEM certificate that is broken"));
}

absl::Status CheckPair(const File& certificate, const File& key) {
  const auto first = FirstCertificate(certificate);
  if (!first.ok()) return first.status();
  const PrivateKey read(PEM_read_bio_PrivateKey(Open(key.text).get(), nullptr,
                                                NoPassword, nullptr));
  const bool fits =
      read != nullptr && X509_check_private_key(first->get(), read.get()) == 1;
  ERR_clear_error();
  if (fits) return absl::OkStatus();
  return absl::FailedPreconditionError(
      read == nullptr
          ? absl::StrCat(key.name, " ", key.path, " has no readable PEM key")
          : absl::StrCat(key.name, " ", key.path, " is not the key of ",
                         certificate.path));
}

}  // namespace

absl::Status CheckCertificate(const std::string& name,
                              const std::string& path) {
  return FirstCertificate(ReadFile(name, path)).status();
}

absl::Status CheckKeyOfCertificate(const std::string& certificate_name,
                                   const std::string& certificate,
                                   const std::string& key_name,
                                   const std::string& key) {
  return CheckPair(ReadFile(certificate_name, certificate),
                   ReadFile(key_name, key));
}

absl::StatusOr<TlsFiles> ReadTlsFiles(const TlsConfig& tls) {
  File certificate = ReadFile("tls.cert_file", tls.cert_file);
  File key = ReadFile("tls.key_file", tls.key_file);
  absl::Status checked = CheckPair(certificate, key);
  File client_ca;
  if (!tls.client_ca_file.empty()) {
    client_ca = ReadFile("tls.client_ca_file", tls.client_ca_file);
    checked.Update(FirstCertificate(client_ca).status());
  }
  if (!checked.ok()) return checked;
  return TlsFiles{.certificate = std::move(certificate.text),
                  .key = std::move(key.text),
                  .client_ca = std::move(client_ca.text)};
}

absl::Time ExpiryOf(const std::string& pem) {
  const Certificate first = NextCertificate(Open(pem).get());
  tm end = {};
  if (first == nullptr ||
      ASN1_TIME_to_tm(X509_get0_notAfter(first.get()), &end) != 1) {
    ERR_clear_error();
    return absl::InfiniteFuture();
  }
  return absl::FromTM(end, absl::UTCTimeZone());
}

}  // namespace genzo
