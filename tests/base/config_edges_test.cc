#include "base/config.h"
#include "tests/testing/matchers.h"
#include "tests/testing/test_folder.h"

namespace genzo {
namespace {

absl::StatusOr<Config> Parse(const std::string& more) {
  return ParseConfig("models: [{id: a, path: p}]\n" + more, "/etc");
}

TEST(ModelIdTest, HasSixtyThreeCharactersAtMost) {
  EXPECT_TRUE(IsModelId(std::string(63, 'a')));
  EXPECT_FALSE(IsModelId(std::string(64, 'a')));
  EXPECT_FALSE(IsModelId(""));
}

TEST(ModelIdTest, BeginsWithALetterOrADigit) {
  EXPECT_TRUE(IsModelId("0._-"));
  for (const char* bad :
       {".a", "-a", "_a", "A", "a/b", "a b", "a\n", "\u00e4"}) {
    EXPECT_FALSE(IsModelId(bad)) << bad;
  }
}

TEST(AddressTest, HasAHostAndAPort) {
  for (const char* good : {"a:0", "a:65535", "[::1]:80", "0.0.0.0:1"}) {
    EXPECT_THAT(CheckAddress(good), IsOk()) << good;
  }
  for (const char* bad : {"", "a", "a:", ":80", "a:-1", "a:65536", "a:8o"}) {
    EXPECT_THAT(CheckAddress(bad), StatusIs(kInvalid, bad)) << bad;
  }
}

TEST(AddressTest, APortIsDigitsAlone) {
  for (const char* bad : {"a: 80", "a:80 ", "a:+80"}) {
    EXPECT_THAT(CheckAddress(bad), StatusIs(kInvalid, bad)) << bad;
  }
}

TEST(AddressTest, AllOf127IsThisMachine) {
  EXPECT_TRUE(IsLoopbackAddress("127.255.0.1:80"));
  EXPECT_TRUE(IsLoopbackAddress("[::1]:80"));
  EXPECT_FALSE(IsLoopbackAddress("128.0.0.1:80"));
  EXPECT_FALSE(IsLoopbackAddress("[::]:80"));
}

// The name of another machine may look like the beginning of an address.
TEST(AddressTest, ANameThatBeginsWith127IsNotThisMachine) {
  EXPECT_FALSE(IsLoopbackAddress("127.example.com:80"));
  EXPECT_FALSE(IsLoopbackAddress("localhost.example.com:80"));
}

TEST(ReachTest, TheHttpDoorIsNotProtectedByCertificatesOfGrpcClients) {
  Config config;
  config.http.listen = "0.0.0.0:80";
  config.tls.client_ca_file = "ca.pem";
  EXPECT_THAT(CheckReach(config), StatusIs(kInvalid, "0.0.0.0:80"));
  config.auth.keys_file = "keys";
  EXPECT_THAT(CheckReach(config), IsOk());
}

TEST(ReachTest, NorIsGrpcByThoseOfHttpClients) {
  Config config;
  config.http.listen = "0.0.0.0:80";
  EXPECT_THAT(CheckReach(config), StatusIs(kInvalid, "http.client_ca_file"));
  config.http.client_ca_file = "ca.pem";
  EXPECT_THAT(CheckReach(config), IsOk());
  config.listen = "0.0.0.0:50051";
  EXPECT_THAT(CheckReach(config), StatusIs(kInvalid, "tls.client_ca_file"));
}

TEST(ConfigEdgesTest, DevicesHaveBounds) {
  for (const char* good : {"cpu:1", "cpu:64", "cuda:0", "cuda:99", "auto"}) {
    EXPECT_THAT(Parse(std::string("devices: [\"") + good + "\"]"), IsOk())
        << good;
  }
  for (const char* bad : {"cpu:0", "cpu:65", "cuda:-1", "cuda:100",
                          "cuda:", "CPU", "auto:1", "mps"}) {
    EXPECT_THAT(Parse(std::string("devices: [\"") + bad + "\"]"),
                StatusIs(kInvalid, std::string("devices[0] \"") + bad + "\""))
        << bad;
  }
}

TEST(ConfigEdgesTest, TheDeviceThatIsWrongIsNamed) {
  EXPECT_THAT(Parse("devices: [cpu, tpu]"),
              StatusIs(kInvalid, "devices[1] \"tpu\" is not one of auto, cpu"));
  EXPECT_THAT(Parse("devices: []"),
              StatusIs(kInvalid, "devices is not a list of at least one"));
  EXPECT_THAT(Parse("devices: cpu"),
              StatusIs(kInvalid, "devices is not a list of at least one"));
}

TEST(ConfigEdgesTest, TheDefaultModelMayLieInTheFolder) {
  EXPECT_THAT(Parse("models_folder: m\ndefault_model: later"), IsOk());
  EXPECT_THAT(Parse("default_model: later"),
              StatusIs(kInvalid, "default_model \"later\""));
}

TEST(ConfigEdgesTest, TracesGoToUrls) {
  for (const char* good : {"http://a", "https://a:4318/v1/traces"}) {
    EXPECT_THAT(Parse(std::string("tracing: {endpoint: \"") + good + "\"}"),
                IsOk());
  }
  for (const char* bad : {"a:4318", "http://", "https://", "http://a b",
                          "http://a?b", "grpc://a"}) {
    EXPECT_THAT(Parse(std::string("tracing: {endpoint: \"") + bad + "\"}"),
                StatusIs(kInvalid, std::string("tracing.endpoint \"") + bad))
        << bad;
  }
}

TEST(ConfigEdgesTest, TheSampleRatioIsAShare) {
  EXPECT_THAT(
      Parse("tracing: {sample_ratio: 1.01}"),
      StatusIs(kInvalid, "tracing.sample_ratio 1.01 is not between 0 and 1"));
  EXPECT_EQ(Parse("tracing: {sample_ratio: 0}")->tracing.sample_ratio, 0);
}

TEST(ConfigEdgesTest, PagesThatMayCallHaveASchemeAndAHost) {
  for (const char* bad : {"://a", "https://", "https://a/", "a", ""}) {
    EXPECT_THAT(
        Parse(std::string("http: {origins: [\"") + bad + "\"]}"),
        StatusIs(kInvalid, std::string("http.origins[0] \"") + bad + "\""))
        << bad;
  }
}

TEST(ConfigEdgesTest, WebhookHostsAreReadInLowerCase) {
  const auto config =
      Parse("webhooks: {hosts: [\"A.org:8443\", B.org], secret_file: s}");
  ASSERT_THAT(config, IsOk());
  EXPECT_THAT(config->webhooks.hosts,
              ::testing::ElementsAre("a.org:8443", "b.org:443"));
}

TEST(ConfigEdgesTest, AListOfNothingIsNoWebhookHost) {
  EXPECT_THAT(Parse("webhooks: {hosts: [\"\"], secret_file: s}"),
              StatusIs(kInvalid, "webhooks.hosts[0] \"\" is neither host"));
  EXPECT_THAT(Parse("webhooks: {hosts: a.org, secret_file: s}"),
              StatusIs(kInvalid, "webhooks.hosts is not a list of hosts"));
}

TEST(ConfigEdgesTest, AFaultOfAFileBeginsWithItsPath) {
  const TestFolder folder;
  const std::string path = folder.Write("genzo.yaml", "models: 5");
  EXPECT_THAT(ReadConfigFile(path), StatusIs(kInvalid, path + ": models"));
}

TEST(ConfigEdgesTest, PathsOfAFileStandInItsFolder) {
  const TestFolder folder;
  const std::string path =
      folder.Write("genzo.yaml", "models: [{id: a, path: weights}]");
  EXPECT_EQ(ReadConfigFile(path)->models[0].path, folder.path() + "/weights");
}

TEST(ConfigEdgesTest, AFolderIsNoFile) {
  const TestFolder folder;
  EXPECT_THAT(ReadConfigFile(folder.path()),
              StatusIs(absl::StatusCode::kNotFound, "cannot be read"));
  EXPECT_THAT(ReadGatewayConfigFile(folder.path()),
              StatusIs(absl::StatusCode::kNotFound, "cannot be read"));
}

TEST(ConfigEdgesTest, TheDoorAloneKnowsNoKeysOfTheServer) {
  EXPECT_THAT(ParseGatewayConfig("threads: 2", "/etc"),
              StatusIs(kInvalid,
                       "unknown key threads; known here: admin, http, "
                       "log_format, log_level, server"));
  EXPECT_THAT(ParseGatewayConfig("server: nowhere", "/etc"),
              StatusIs(kInvalid, "server \"nowhere\" is not host:port"));
}

}  // namespace
}  // namespace genzo
