#include "worker/device/device_names.h"

#include "tests/testing/matchers.h"

namespace genzo {
namespace {

TEST(DeviceNamesTest, KnowsTheCpu) {
  EXPECT_THAT(*ResolveDevices({"cpu", "cpu:2"}),
              ::testing::ElementsAre(c10::kCPU, c10::kCPU, c10::kCPU));
  EXPECT_THAT(ResolveDevices({"auto"}), IsOk());
  EXPECT_THAT(ResolveDevices({"cpu", "cuda:99"}),
              StatusIs(absl::StatusCode::kUnavailable, "cuda:99"));
  EXPECT_GT(DeviceMemoryBytes(c10::kCPU), 0);
}

TEST(DeviceNamesTest, KnowsTypesByName) {
  for (const char* name : {"float32", "bfloat16", "float16"}) {
    EXPECT_EQ(DtypeName(*ParseDtype(name, c10::kCPU)), name);
  }
  EXPECT_THAT(ParseDtype("auto", c10::kCPU), IsOk());
  EXPECT_THAT(ParseDtype("int8", c10::kCPU),
              StatusIs(absl::StatusCode::kInvalidArgument, "int8"));
}

}  // namespace
}  // namespace genzo
