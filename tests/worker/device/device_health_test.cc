#include "worker/device/device_health.h"

#include "tests/testing/matchers.h"

namespace genzo {
namespace {

class DeviceHealthTest : public ::testing::Test {
 protected:
  void Fail(int times) {
    for (int i = 0; i < times; ++i) {
      health_.Evaluated(absl::InternalError("sticky"), now_);
    }
  }
  void ProbeFails() { health_.Probed(absl::InternalError("sticky"), now_); }
  void ProbeGoesWell() { health_.Probed(absl::OkStatus(), now_); }

  absl::Time now_ = absl::FromUnixSeconds(1'000'000);
  DeviceHealth health_;
};

TEST_F(DeviceHealthTest, FailuresThatAreNotInARowAreNothing) {
  for (int i = 0; i < 3; ++i) {
    Fail(DeviceHealth::kHopeless - 1);
    health_.Evaluated(absl::OkStatus(), now_);
  }
  EXPECT_TRUE(health_.usable());
}

TEST_F(DeviceHealthTest, ABrokenDeviceIsTakenOut) {
  Fail(1);
  EXPECT_TRUE(health_.usable()) << "until the probe says so";
  ProbeFails();
  EXPECT_FALSE(health_.usable());
  EXPECT_GT(health_.retry_at(), now_);
}

TEST_F(DeviceHealthTest, AModelThatAlwaysFailsIsNotTheDevicesFault) {
  Fail(1);
  ProbeGoesWell();
  EXPECT_TRUE(health_.usable());
}

TEST_F(DeviceHealthTest, NeitherMemoryNorRequestsCount) {
  for (int i = 0; i < 100; ++i) {
    health_.Evaluated(absl::ResourceExhaustedError("full"), now_);
    health_.Evaluated(absl::InvalidArgumentError("odd"), now_);
  }
  EXPECT_TRUE(health_.usable());
}

TEST_F(DeviceHealthTest, ComesBackWhenAProbeGoesWell) {
  ProbeFails();
  now_ = health_.retry_at();
  ProbeGoesWell();
  EXPECT_TRUE(health_.usable());
}

TEST_F(DeviceHealthTest, RestsLongerEachTime) {
  Fail(1);
  ProbeFails();
  EXPECT_EQ(health_.retry_at() - now_, DeviceHealth::kFirstRest);
  for (int i = 0; i < 10; ++i) {
    now_ = health_.retry_at();
    ProbeFails();
  }
  EXPECT_EQ(health_.retry_at() - now_, DeviceHealth::kLongestRest);
  ProbeGoesWell();
  health_.Evaluated(absl::OkStatus(), now_);
  Fail(1);
  ProbeFails();
  EXPECT_EQ(health_.retry_at() - now_, DeviceHealth::kFirstRest);
}

TEST_F(DeviceHealthTest, OneThatFailsEverythingIsTakenOutWhateverProbesSay) {
  for (int i = 0; i < DeviceHealth::kHopeless && health_.usable(); ++i) {
    Fail(1);
    if (health_.usable()) ProbeGoesWell();
  }
  EXPECT_FALSE(health_.usable());
  now_ = health_.retry_at();
  ProbeGoesWell();
  EXPECT_TRUE(health_.usable());
  Fail(1);
  EXPECT_FALSE(health_.usable()) << "hardly back, it fails again";
}

TEST(ProbeDeviceTest, TheCpuCanAdd) {
  EXPECT_THAT(ProbeDevice(c10::Device(c10::kCPU)), IsOk());
}

TEST(ProbeDeviceTest, SaysWhatADeviceThatIsNotThereSays) {
  // No part of LibTorch here computes on it.
  EXPECT_THAT(ProbeDevice(c10::Device(c10::kFPGA)),
              StatusIs(absl::StatusCode::kInternal, "fpga"));
}

}  // namespace
}  // namespace genzo
