#include "base/certificate_files.h"

#include <filesystem>
#include <memory>
#include <system_error>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "openssl/pem.h"
#include "openssl/x509.h"

namespace genzo {
namespace {

template <auto function>
struct Calls {
  template <typename T>
  void operator()(T* object) const {
    function(object);
  }
};
using Bio = std::unique_ptr<BIO, Calls<BIO_free>>;

// Null for what is no file: reading a pipe would wait for whoever writes.
Bio Open(const std::string& path) {
  std::error_code unreadable;
  if (!std::filesystem::is_regular_file(path, unreadable)) return nullptr;
  return Bio(BIO_new_file(path.c_str(), "r"));
}

using Certificate = std::unique_ptr<X509, Calls<X509_free>>;
using PrivateKey = std::unique_ptr<EVP_PKEY, Calls<EVP_PKEY_free>>;

absl::StatusOr<Certificate> ReadCertificate(const std::string& name,
                                            const std::string& path) {
  const Bio file = Open(path);
  Certificate certificate(
      file == nullptr
          ? nullptr
          : PEM_read_bio_X509(file.get(), nullptr, nullptr, nullptr));
  if (certificate != nullptr) return certificate;
  return absl::FailedPreconditionError(
      absl::StrCat(name, " ", path, " has no readable PEM certificate"));
}

}  // namespace

absl::Status CheckCertificate(const std::string& name,
                              const std::string& path) {
  return ReadCertificate(name, path).status();
}

absl::Status CheckKeyOfCertificate(const std::string& certificate_name,
                                   const std::string& certificate,
                                   const std::string& key_name,
                                   const std::string& key) {
  const auto first = ReadCertificate(certificate_name, certificate);
  if (!first.ok()) return first.status();
  const Bio file = Open(key);
  const PrivateKey read(
      file == nullptr
          ? nullptr
          : PEM_read_bio_PrivateKey(file.get(), nullptr, nullptr, nullptr));
  if (read == nullptr) {
    return absl::FailedPreconditionError(
        absl::StrCat(key_name, " ", key, " has no readable PEM key"));
  }
  if (X509_check_private_key(first->get(), read.get()) == 1) {
    return absl::OkStatus();
  }
  return absl::FailedPreconditionError(
      absl::StrCat(key_name, " ", key, " is not the key of ", certificate));
}

}  // namespace genzo
