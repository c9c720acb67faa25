#include "base/logging.h"

#include "base/log_share.h"
#include "nlohmann/json.hpp"
#include "tests/testing/matchers.h"

namespace genzo {
namespace {

using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::Not;

std::string Logged(const std::string& format, const LogFields& fields) {
  EXPECT_THAT(InitLogging("info", format), IsOk());
  ::testing::internal::CaptureStderr();
  LogEvent(spdlog::level::info, "job accepted", fields);
  LogEvent(spdlog::level::debug, "too fine", fields);
  return ::testing::internal::GetCapturedStderr();
}

TEST(LoggingTest, WritesALineAnEvent) {
  const std::string line =
      Logged("text", {{"job", "4f2a"}, {"tenant", "a \"b\"\n"}, {"trace", ""}});
  EXPECT_THAT(line, EndsWith(" info job accepted job=4f2a tenant=\"a "
                             "\\\"b\\\"\\n\"\n"));
  EXPECT_THAT(line, Not(HasSubstr("trace")));
}

TEST(LoggingTest, WritesAnObjectALine) {
  const std::string line =
      Logged("json", {{"job", "4f2a"}, {"prompt", "\xff\n\x1fjob\x1f\u591c"}});
  EXPECT_EQ(line.find('\n'), line.size() - 1);
  const auto object = nlohmann::json::parse(line);
  EXPECT_EQ(object.size(), 5u);
  EXPECT_EQ(object["msg"], "job accepted");
  EXPECT_EQ(object["level"], "info");
  EXPECT_EQ(object["job"], "4f2a");
  EXPECT_THAT(object["prompt"].get<std::string>(), EndsWith("job \u591c"));
}

TEST(LoggingTest, NumbersAreNumbersInJson) {
  const auto object = nlohmann::json::parse(Logged(
      "json", {{"steps", "20"}, {"seconds", "0.250"}, {"tenant", "42"}}));
  EXPECT_EQ(object["steps"], 20);
  EXPECT_EQ(object["seconds"], 0.25);
  EXPECT_EQ(object["tenant"], "42") << "a name";
}

TEST(LoggingTest, KnowsItsFormats) {
  EXPECT_THAT(InitLogging("info", "xml"),
              StatusIs(absl::StatusCode::kInvalidArgument, "xml"));
  EXPECT_THAT(InitLogging("info"), IsOk());
}

TEST(LogShareTest, WhatIsTooMuchIsCountedByTheNextLine) {
  LogShare share(/*most_a_second=*/2);
  absl::Time now = absl::FromUnixSeconds(1000);
  EXPECT_EQ(share.Take(now), 0);
  now += absl::Milliseconds(500);
  EXPECT_EQ(share.Take(now), 0);
  for (int i = 0; i < 3; ++i) EXPECT_EQ(share.Take(now), std::nullopt);
  now += absl::Milliseconds(500);
  EXPECT_EQ(share.Take(now), 3);
  EXPECT_EQ(share.Take(now), 0);
}

}  // namespace
}  // namespace genzo
