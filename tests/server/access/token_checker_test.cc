#include "server/access/token_checker.h"

#include <memory>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "base/errors.h"
#include "base/hmac_sha256.h"
#include "nlohmann/json.hpp"
#include "openssl/bn.h"
#include "openssl/core_names.h"
#include "openssl/ecdsa.h"
#include "openssl/evp.h"
#include "openssl/rsa.h"
#include "tests/testing/fake_clock.h"
#include "tests/testing/matchers.h"
#include "tests/testing/test_folder.h"

namespace genzo {
namespace {

using nlohmann::json;

std::string Base64(absl::string_view bytes) {
  return absl::WebSafeBase64Escape(bytes);
}

// A key pair that signs tokens.
class Signer {
 public:
  Signer(const std::string& id, const std::string& algorithm,
         int rsa_bits = 2048)
      : id_(id), algorithm_(algorithm) {
    EVP_PKEY* key = algorithm == "RS256" ? EVP_RSA_gen(rsa_bits)
                    : algorithm == "ES256"
                        ? EVP_EC_gen("P-256")
                        : EVP_PKEY_Q_keygen(nullptr, nullptr, "ED25519");
    key_ = {key, EVP_PKEY_free};
  }

  json Jwk() const {
    json key = {{"kid", id_}, {"use", "sig"}, {"alg", algorithm_}};
    if (algorithm_ == "RS256") {
      key.update({{"kty", "RSA"},
                  {"n", Number(OSSL_PKEY_PARAM_RSA_N)},
                  {"e", Number(OSSL_PKEY_PARAM_RSA_E)}});
    } else if (algorithm_ == "ES256") {
      key.update({{"kty", "EC"},
                  {"crv", "P-256"},
                  {"x", Number(OSSL_PKEY_PARAM_EC_PUB_X, 32)},
                  {"y", Number(OSSL_PKEY_PARAM_EC_PUB_Y, 32)}});
    } else {
      std::string x(32, '\0');
      size_t size = x.size();
      EVP_PKEY_get_raw_public_key(
          key_.get(), reinterpret_cast<unsigned char*>(x.data()), &size);
      key.update({{"kty", "OKP"}, {"crv", "Ed25519"}, {"x", Base64(x)}});
    }
    return key;
  }

  std::string Token(const json& claims, const json& more_header = {}) const {
    json header = {{"alg", algorithm_}, {"typ", "JWT"}, {"kid", id_}};
    if (!more_header.is_null()) header.update(more_header);
    const std::string text =
        absl::StrCat(Base64(header.dump()), ".", Base64(claims.dump()));
    return absl::StrCat(text, ".", Base64(Sign(text)));
  }

 private:
  std::string Number(const char* name, size_t bytes = 0) const {
    BIGNUM* number = nullptr;
    EVP_PKEY_get_bn_param(key_.get(), name, &number);
    std::string text(bytes > 0 ? bytes : BN_num_bytes(number), '\0');
    BN_bn2binpad(number, reinterpret_cast<unsigned char*>(text.data()),
                 static_cast<int>(text.size()));
    BN_free(number);
    return Base64(text);
  }

  std::string Sign(const std::string& text) const {
    EVP_MD_CTX* const context = EVP_MD_CTX_new();
    const bool edwards = algorithm_ == "EdDSA";
    EVP_DigestSignInit(context, nullptr, edwards ? nullptr : EVP_sha256(),
                       nullptr, key_.get());
    std::string signature(1024, '\0');
    size_t size = signature.size();
    EVP_DigestSign(context, reinterpret_cast<unsigned char*>(signature.data()),
                   &size, reinterpret_cast<const unsigned char*>(text.data()),
                   text.size());
    EVP_MD_CTX_free(context);
    signature.resize(size);
    if (algorithm_ != "ES256") return signature;
    const auto* bytes =
        reinterpret_cast<const unsigned char*>(signature.data());
    ECDSA_SIG* const pair =
        d2i_ECDSA_SIG(nullptr, &bytes, static_cast<long>(size));
    std::string both(64, '\0');
    auto* out = reinterpret_cast<unsigned char*>(both.data());
    BN_bn2binpad(ECDSA_SIG_get0_r(pair), out, 32);
    BN_bn2binpad(ECDSA_SIG_get0_s(pair), out + 32, 32);
    ECDSA_SIG_free(pair);
    return both;
  }

  const std::string id_;
  const std::string algorithm_;
  std::shared_ptr<EVP_PKEY> key_;
};

class TokenCheckerTest : public ::testing::Test {
 protected:
  TokenCheckerTest() {
    config_.jwks_file = folder_.path() + "/jwks.json";
    config_.jwt_issuer = "https://issuer";
    config_.jwt_audience = "genzo";
    Write({rsa_.Jwk(), curve_.Jwk(), edwards_.Jwk()});
    auto checker = TokenChecker::Open(config_, clock_);
    EXPECT_THAT(checker, IsOk());
    checker_ = *std::move(checker);
  }

  void Write(const std::vector<json>& keys) {
    folder_.Write("jwks.json", json{{"keys", keys}}.dump());
  }

  json Claims() const {
    const int64_t now = absl::ToUnixSeconds(clock_.Date());
    return {{"iss", "https://issuer"}, {"aud", "genzo"},
            {"sub", "alice"},          {"scope", "openid jobs generate"},
            {"exp", now + 600},        {"nbf", now}};
  }
  json With(const json& more) const {
    json claims = Claims();
    claims.update(more);
    return claims;
  }

  std::string ReasonOf(const std::string& token) const {
    return ErrorReason(checker_->Check(token).status());
  }
  std::string ReasonOf(const json& claims) const {
    return ReasonOf(rsa_.Token(claims));
  }

  const TestFolder folder_;
  FakeClock clock_;
  const Signer rsa_{"r", "RS256"};
  const Signer curve_{"c", "ES256"};
  const Signer edwards_{"e", "EdDSA"};
  AuthConfig config_;
  std::unique_ptr<TokenChecker> checker_;
};

TEST_F(TokenCheckerTest, BelievesTheThreeAlgorithms) {
  for (const Signer* signer : {&rsa_, &curve_, &edwards_}) {
    const auto grant = checker_->Check(signer->Token(Claims()));
    ASSERT_THAT(grant, IsOk());
    EXPECT_EQ((*grant)->tenant, "alice");
    EXPECT_EQ((*grant)->scopes, (std::set<std::string>{"generate", "jobs"}));
    EXPECT_FALSE((*grant)->names_tenants);
  }
}

TEST_F(TokenCheckerTest, LimitsAreTheConfiguredOnesUnderItsOwn) {
  config_.token_limits.max_steps = 20;
  config_.token_limits.cost_per_minute = 60;
  checker_ = *TokenChecker::Open(config_, clock_);
  auto grant = *checker_->Check(rsa_.Token(Claims()));
  EXPECT_EQ(grant->max_steps, 20);
  EXPECT_EQ(grant->weight, 1);
  EXPECT_EQ(grant->key_id, "token:alice");
  grant = *checker_->Check(rsa_.Token(
      With({{"genzo_limits",
             {{"weight", 4}, {"max_steps", 30}, {"models", {"emaki"}}}}})));
  EXPECT_EQ(grant->max_steps, 30);
  EXPECT_EQ(grant->weight, 4);
  EXPECT_EQ(grant->models, std::set<std::string>{"emaki"});
  EXPECT_EQ(grant->cost_per_minute, 60);
  for (const auto& [limits, fault] : std::vector<std::pair<json, std::string>>{
           {{{"weight", 0}}, "weight 0 is not between"},
           {{{"max_steps", "30"}}, "max_steps has the wrong type"},
           {{{"scopes", {"admin"}}}, "scopes is not known"},
           {"30", "is not an object"}}) {
    EXPECT_THAT(
        checker_->Check(rsa_.Token(With({{"genzo_limits", limits}}))).status(),
        StatusIs(absl::StatusCode::kUnauthenticated, fault));
  }
}

TEST_F(TokenCheckerTest, BelievesNoOtherSignature) {
  const Signer stranger("r", "RS256");
  EXPECT_EQ(ReasonOf(stranger.Token(Claims())), "TOKEN_INVALID");
  // Signed by one key in another's name.
  EXPECT_EQ(ReasonOf(rsa_.Token(Claims(), {{"kid", "c"}})), "TOKEN_INVALID");
  EXPECT_EQ(ReasonOf(rsa_.Token(Claims(), {{"alg", "ES256"}})),
            "TOKEN_INVALID");
  // Without a name, any of the algorithm.
  EXPECT_EQ(ReasonOf(rsa_.Token(Claims(), {{"kid", nullptr}})), "");
  // Any bit.
  std::string token = curve_.Token(Claims());
  for (size_t at : {size_t{3}, token.find('.') + 5, token.rfind('.') + 9}) {
    std::string changed = token;
    changed[at] = changed[at] == 'A' ? 'B' : 'A';
    EXPECT_EQ(ReasonOf(changed), "TOKEN_INVALID") << at;
  }
}

TEST_F(TokenCheckerTest, NoneAndSharedSecretsAreNoSignatures) {
  const std::string claims = Base64(Claims().dump());
  for (const char* none : {"none", "None", "NONE", ""}) {
    const std::string header = Base64(json{{"alg", none}}.dump());
    EXPECT_EQ(ReasonOf(absl::StrCat(header, ".", claims, ".")),
              "TOKEN_INVALID");
  }
  // The public key as the secret of HS256.
  const std::string text = absl::StrCat(
      Base64(json{{"alg", "HS256"}, {"kid", "r"}}.dump()), ".", claims);
  EXPECT_EQ(ReasonOf(absl::StrCat(text, ".",
                                  Base64(HmacSha256(rsa_.Jwk().dump(), text)))),
            "TOKEN_INVALID");
}

TEST_F(TokenCheckerTest, TimesHold) {
  const int64_t now = absl::ToUnixSeconds(clock_.Date());
  EXPECT_EQ(ReasonOf(With({{"exp", now - 29}})), "");
  EXPECT_EQ(ReasonOf(With({{"exp", now - 31}})), "TOKEN_EXPIRED");
  EXPECT_EQ(ReasonOf(With({{"nbf", now + 29}})), "");
  EXPECT_EQ(ReasonOf(With({{"nbf", now + 31}})), "TOKEN_INVALID");
  EXPECT_EQ(ReasonOf(With({{"nbf", "now"}})), "TOKEN_INVALID");
  EXPECT_EQ(ReasonOf(With({{"exp", "never"}})), "TOKEN_EXPIRED");
  json claims = Claims();
  claims.erase("exp");
  EXPECT_EQ(ReasonOf(claims), "TOKEN_INVALID");
}

TEST_F(TokenCheckerTest, IssuerAudienceAndTenantMustBeRight) {
  EXPECT_EQ(ReasonOf(With({{"iss", "https://other"}})), "TOKEN_INVALID");
  EXPECT_EQ(ReasonOf(With({{"aud", "other"}})), "TOKEN_INVALID");
  EXPECT_EQ(ReasonOf(With({{"aud", "genzo other"}})), "TOKEN_INVALID");
  EXPECT_EQ(ReasonOf(With({{"aud", {"other", "genzo"}}})), "");
  EXPECT_EQ(ReasonOf(With({{"sub", "a b"}})), "TOKEN_INVALID");
  EXPECT_EQ(ReasonOf(With({{"sub", 7}})), "TOKEN_INVALID");
  EXPECT_EQ(ReasonOf(With({{"sub", ""}})), "TOKEN_INVALID");
}

TEST_F(TokenCheckerTest, WhatIsNoTokenIsRefused) {
  const std::string good = rsa_.Token(Claims());
  for (const std::string& text :
       {std::string("x"), std::string("a.b.c"), std::string(".."), good + ".x",
        good.substr(0, good.rfind('.')), std::string(9000, 'x'),
        Base64("[]") + "." + Base64("[]") + ".x",
        rsa_.Token(json::array({1}))}) {
    EXPECT_EQ(ReasonOf(text), "TOKEN_INVALID");
  }
  EXPECT_EQ(ReasonOf(rsa_.Token(Claims(), {{"crit", {"b64"}}})),
            "TOKEN_INVALID");
}

TEST_F(TokenCheckerTest, KeysAreReloaded) {
  const Signer next("next", "EdDSA");
  EXPECT_EQ(ReasonOf(next.Token(Claims())), "TOKEN_INVALID");
  Write({next.Jwk()});
  checker_->Refresh();
  EXPECT_EQ(ReasonOf(next.Token(Claims())), "");
  EXPECT_EQ(ReasonOf(edwards_.Token(Claims())), "TOKEN_INVALID");
  folder_.Write("jwks.json", "{}");
  checker_->Refresh();
  EXPECT_EQ(ReasonOf(next.Token(Claims())), "");
}

TEST(JsonWebKeysTest, LeavesOutWhatItDoesNotUseAndRefusesDamage) {
  const json good = Signer("e", "EdDSA").Jwk();
  const json encrypts = {{"kty", "RSA"}, {"use", "enc"}};
  const json secret = {{"kty", "oct"}, {"k", "AAAA"}};
  const auto parse = [](const std::vector<json>& keys) {
    return JsonWebKeys::Parse(json{{"keys", keys}}.dump());
  };
  EXPECT_EQ(parse({encrypts, good, secret})->size(), 1u);
  EXPECT_THAT(parse({secret}),
              StatusIs(absl::StatusCode::kInvalidArgument, "has no key"));
  EXPECT_THAT(parse({good, Signer("r", "RS256", 1024).Jwk()}),
              StatusIs(absl::StatusCode::kInvalidArgument, "keys[1]"));
  json damaged = good;
  damaged["x"] = "AAAA";
  EXPECT_THAT(parse({damaged}),
              StatusIs(absl::StatusCode::kInvalidArgument, "keys[0]"));
  damaged = Signer("c", "ES256").Jwk();
  damaged["y"] = damaged["x"];  // not on the curve
  EXPECT_THAT(parse({damaged}),
              StatusIs(absl::StatusCode::kInvalidArgument, "keys[0]"));
  EXPECT_THAT(JsonWebKeys::Parse("["),
              StatusIs(absl::StatusCode::kInvalidArgument, "JSON"));
}

}  // namespace
}  // namespace genzo
