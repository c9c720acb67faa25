#ifndef GENZO_TESTS_TESTING_CERTIFICATES_H_
#define GENZO_TESTS_TESTING_CERTIFICATES_H_

#include <memory>
#include <string>

#include "openssl/evp.h"
#include "openssl/x509.h"

namespace genzo {

// A certificate and its key, both PEM.
struct TestCertificate {
  std::string certificate;
  std::string key;
};

// An authority that signs certificates for a test, all valid from now for an
// hour.
class TestAuthority {
 public:
  explicit TestAuthority(const std::string& name);

  // Its own certificate, which those who trust it have.
  const std::string& certificate() const { return certificate_; }

  // A certificate of 127.0.0.1 and "localhost" whose subject is `name`.
  TestCertificate Issue(const std::string& name) const;

 private:
  std::shared_ptr<EVP_PKEY> key_;
  std::shared_ptr<X509> self_;
  std::string certificate_;
};

}  // namespace genzo

#endif  // GENZO_TESTS_TESTING_CERTIFICATES_H_
