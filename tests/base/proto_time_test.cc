#include "base/proto_time.h"

#include "gtest/gtest.h"

namespace genzo {
namespace {

TEST(ProtoTimeTest, DurationsComeBackToTheNanosecond) {
  for (const absl::Duration duration :
       {absl::ZeroDuration(), absl::Nanoseconds(1),
        absl::Seconds(3) + absl::Nanoseconds(999'999'999),
        absl::Hours(24 * 365 * 200)}) {
    EXPECT_EQ(FromProto(ToProto(duration)), duration);
  }
}

TEST(ProtoTimeTest, NegativeDurationsBecomeZero) {
  EXPECT_EQ(ToProto(absl::Seconds(-5)).seconds(), 0);
  EXPECT_EQ(ToProto(absl::Nanoseconds(-1)).nanos(), 0);
  EXPECT_EQ(ToProto(-absl::InfiniteDuration()).seconds(), 0);
}

TEST(ProtoTimeTest, AnInfiniteDurationIsTheLongestThatFits) {
  EXPECT_EQ(ToProto(absl::InfiniteDuration()).seconds(), 9'223'372'036);
}

TEST(ProtoTimeTest, TimesBefore1970ComeBack) {
  const absl::Time time =
      absl::UnixEpoch() - absl::Seconds(10) + absl::Nanoseconds(7);
  const auto proto = ToProto(time);
  EXPECT_GE(proto.nanos(), 0) << "as the type's rules demand";
  EXPECT_EQ(FromProto(proto), time);
}

// What other programs send may be any duration that the type allows: ten
// thousand years.
TEST(ProtoTimeTest, LongDurationsDoNotWrapAround) {
  google::protobuf::Duration proto;
  proto.set_seconds(315'576'000'000);
  EXPECT_EQ(FromProto(proto), absl::Seconds(315'576'000'000));
}

TEST(ProtoTimeTest, FarTimesDoNotWrapAround) {
  google::protobuf::Timestamp proto;
  proto.set_seconds(253'402'300'799);  // the end of the year 9999
  EXPECT_EQ(FromProto(proto), absl::FromUnixSeconds(253'402'300'799));
}

}  // namespace
}  // namespace genzo
