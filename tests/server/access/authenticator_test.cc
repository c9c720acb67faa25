#include "server/access/authenticator.h"

#include "base/errors.h"
#include "tests/testing/matchers.h"

namespace genzo {
namespace {

constexpr char kHere[] = "ipv4:127.0.0.1:4711";
constexpr char kElsewhere[] = "ipv4:192.0.2.7:4711";

bool MayAdminister(const std::string& admin_api, const std::string& peer) {
  return MakeTrustingAuthenticator(admin_api)
      ->Authenticate({.metadata = {}, .peer = peer})
      ->may_administer;
}

TEST(AuthenticatorTest, BelievesTheTenant) {
  const auto authenticator = MakeTrustingAuthenticator("loopback");
  EXPECT_EQ(authenticator->Authenticate({})->tenant, "");
  EXPECT_EQ(
      authenticator->Authenticate({.metadata = {{"x-genzo-tenant", "a-1"}}})
          ->tenant,
      "a-1");
  for (const std::string& tenant :
       {std::string(), std::string("a b"), std::string(65, 'x')}) {
    EXPECT_THAT(
        authenticator->Authenticate({.metadata = {{"x-genzo-tenant", tenant}}}),
        StatusIs(absl::StatusCode::kInvalidArgument, "x-genzo-tenant"));
  }
}

TEST(AuthenticatorTest, LoopbackCallersAdminister) {
  EXPECT_TRUE(MayAdminister("loopback", kHere));
  EXPECT_FALSE(MayAdminister("loopback", kElsewhere));
}

TEST(AuthenticatorTest, TheApiCanBeOpenOrOff) {
  EXPECT_TRUE(MayAdminister("open", kElsewhere));
  EXPECT_FALSE(MayAdminister("off", kHere));
}

TEST(AuthenticatorTest, KnowsThisMachinesAddresses) {
  for (const char* peer :
       {"ipv6:[::1]:1", "ipv6:%5B::1%5D:1", "ipv4:127.9.9.9:1", "unix:"}) {
    EXPECT_TRUE(IsLoopback(peer)) << peer;
  }
  for (const char* peer : {"ipv4:10.127.0.1:1", "ipv6:[::2]:1", ""}) {
    EXPECT_FALSE(IsLoopback(peer)) << peer;
  }
}

TEST(AuthenticatorTest, SaysWhoMayNot) {
  EXPECT_THAT(CheckAdministrator({.may_administer = true}), IsOk());
  const absl::Status refused = CheckAdministrator({});
  EXPECT_EQ(refused.code(), absl::StatusCode::kPermissionDenied);
  EXPECT_EQ(ErrorReason(refused), "NOT_AN_ADMINISTRATOR");
}

}  // namespace
}  // namespace genzo
