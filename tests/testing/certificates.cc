#include "tests/testing/certificates.h"

#include "openssl/bio.h"
#include "openssl/pem.h"
#include "openssl/rand.h"
#include "openssl/x509v3.h"

namespace genzo {
namespace {

std::string TextOf(BIO* bio) {
  char* bytes = nullptr;
  const long size = BIO_get_mem_data(bio, &bytes);
  std::string text(bytes, size);
  BIO_free(bio);
  return text;
}

std::string PemOf(X509* certificate) {
  BIO* const bio = BIO_new(BIO_s_mem());
  PEM_write_bio_X509(bio, certificate);
  return TextOf(bio);
}

std::string PemOf(EVP_PKEY* key) {
  BIO* const bio = BIO_new(BIO_s_mem());
  PEM_write_bio_PrivateKey(bio, key, nullptr, nullptr, 0, nullptr, nullptr);
  return TextOf(bio);
}

void AddExtension(X509* certificate, X509* issuer, int id, const char* value) {
  X509V3_CTX context;
  X509V3_set_ctx(&context, issuer, certificate, nullptr, nullptr, 0);
  X509_EXTENSION* const extension =
      X509V3_EXT_conf_nid(nullptr, &context, id, value);
  X509_add_ext(certificate, extension, -1);
  X509_EXTENSION_free(extension);
}

// Unsigned.
X509* Draft(const std::string& name, EVP_PKEY* key) {
  X509* const certificate = X509_new();
  X509_set_version(certificate, 2);
  long serial = 0;
  RAND_bytes(reinterpret_cast<unsigned char*>(&serial), 4);
  ASN1_INTEGER_set(X509_get_serialNumber(certificate), serial);
  X509_gmtime_adj(X509_getm_notBefore(certificate), -60);
  X509_gmtime_adj(X509_getm_notAfter(certificate), 3600);
  X509_set_pubkey(certificate, key);
  X509_NAME_add_entry_by_txt(
      X509_get_subject_name(certificate), "CN", MBSTRING_ASC,
      reinterpret_cast<const unsigned char*>(name.c_str()), -1, -1, 0);
  return certificate;
}

}  // namespace

TestAuthority::TestAuthority(const std::string& name)
    : key_(EVP_EC_gen("P-256"), EVP_PKEY_free),
      self_(Draft(name, key_.get()), X509_free) {
  X509_set_issuer_name(self_.get(), X509_get_subject_name(self_.get()));
  AddExtension(self_.get(), self_.get(), NID_basic_constraints,
               "critical,CA:TRUE");
  AddExtension(self_.get(), self_.get(), NID_key_usage,
               "critical,keyCertSign,cRLSign");
  X509_sign(self_.get(), key_.get(), EVP_sha256());
  certificate_ = PemOf(self_.get());
}

TestCertificate TestAuthority::Issue(const std::string& name) const {
  EVP_PKEY* const key = EVP_EC_gen("P-256");
  X509* const certificate = Draft(name, key);
  X509_set_issuer_name(certificate, X509_get_subject_name(self_.get()));
  AddExtension(certificate, self_.get(), NID_subject_alt_name,
               "DNS:localhost,IP:127.0.0.1");
  X509_sign(certificate, key_.get(), EVP_sha256());
  TestCertificate issued = {PemOf(certificate), PemOf(key)};
  X509_free(certificate);
  EVP_PKEY_free(key);
  return issued;
}

}  // namespace genzo
