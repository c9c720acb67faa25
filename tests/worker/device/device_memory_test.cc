#include <cstdint>

#include "ATen/ops/zeros.h"
#include "prometheus/metric_family.h"
#include "tests/testing/matchers.h"
#include "tests/testing/process_memory.h"
#include "worker/device/device_names.h"
#include "worker/device/free_memory.h"
#include "worker/device/loading_memory.h"
#include "worker/device/memory_figures.h"
#include "worker/device/memory_meter.h"

namespace genzo {
namespace {

constexpr int64_t kMegabyte = int64_t{1} << 20;

at::Tensor Megabytes(int64_t count) {
  return at::zeros({count * kMegabyte}, at::kByte);
}

TEST(MemoryMeterTest, TellsTheMostThatWasInUseAtOnce) {
  const MemoryMeter meter;
  { const at::Tensor first = Megabytes(3); }
  { const at::Tensor second = Megabytes(2); }
  EXPECT_GE(meter.peak_bytes(), 3 * kMegabyte);
  EXPECT_LT(meter.peak_bytes(), 4 * kMegabyte) << "not both";
}

TEST(MemoryMeterTest, WhatIsHeldTogetherIsAdded) {
  const MemoryMeter meter;
  const at::Tensor first = Megabytes(3);
  const at::Tensor second = Megabytes(2);
  EXPECT_GE(meter.peak_bytes(), 5 * kMegabyte);
}

TEST(MemoryMeterTest, WhatWasInUseBeforeDoesNotCount) {
  const at::Tensor before = Megabytes(8);
  const MemoryMeter meter;
  const at::Tensor after = Megabytes(1);
  EXPECT_LT(meter.peak_bytes(), 2 * kMegabyte);
}

TEST(MemoryMeterTest, WithoutAnAllocationThePeakIsNothing) {
  EXPECT_EQ(MemoryMeter().peak_bytes(), 0);
}

TEST(MemoryMeterTest, WhatIsGivenBackOfBeforeIsNoDebt) {
  at::Tensor before = Megabytes(8);
  const MemoryMeter meter;
  before.reset();
  EXPECT_EQ(meter.peak_bytes(), 0);
}

TEST(DeviceMemoryFiguresTest, TheCpuHasNone) {
  const DeviceMemoryFigures figures({{at::kCPU, "cpu:0"}});
  EXPECT_TRUE(figures.Collect().empty()) << "not even the family's name";
}

TEST(FreeMemoryTest, TensorsInUseStayAsTheyAre) {
  const at::Tensor kept = Megabytes(1).fill_(7);
  ReturnFreeMemory(at::kCPU);
  EXPECT_TRUE(kept.eq(7).all().item<bool>());
}

int64_t ResidentBytes() { return ProcessMemory::Now().resident; }

// Sanitizers bring an allocator that keeps what was freed for reasons of its
// own.
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
TEST(FreeMemoryTest, WhatAStepFreedStaysUntilNobodyHasWorkedForAWhile) {
  const at::Tensor used = Megabytes(128);  // more than what is freed
  ReturnFreeMemory(at::kCPU);              // what other tests left
  const int64_t before = ResidentBytes();
  Megabytes(64);
  EXPECT_GT(ResidentBytes(), before + 60 * kMegabyte) << "for the next step";
  HeapRest rest(/*looks=*/2);
  rest.Look(/*idle=*/true);
  rest.Look(/*idle=*/false);
  rest.Look(/*idle=*/true);
  EXPECT_GT(ResidentBytes(), before + 60 * kMegabyte);
  rest.Look(/*idle=*/true);
  EXPECT_LT(ResidentBytes(), before + 4 * kMegabyte);
  Megabytes(64);  // not of a step
  rest.Look(/*idle=*/true);
  rest.Look(/*idle=*/true);
  EXPECT_LT(ResidentBytes(), before + 4 * kMegabyte) << "again";
}

TEST(FreeMemoryTest, TheBusyKeepAsMuchAsIsInUse) {
  ReturnFreeMemory(at::kCPU);
  const at::Tensor used = Megabytes(64);
  const int64_t before = ResidentBytes();
  HeapRest rest(/*looks=*/2);
  Megabytes(32);
  for (int i = 0; i < 4; ++i) rest.Look(/*idle=*/false);
  EXPECT_GT(ResidentBytes(), before + 28 * kMegabyte) << "for the next step";
  Megabytes(1024);
  rest.Look(/*idle=*/false);
  EXPECT_GT(ResidentBytes(), before + 1000 * kMegabyte) << "not at each look";
  rest.Look(/*idle=*/false);
  EXPECT_LT(ResidentBytes(), before + 4 * kMegabyte);
}

TEST(LoadingMemoryTest, NothingThatIsFreedIsKeptMeanwhile) {
  ReturnFreeMemory(at::kCPU);
  const int64_t before = ResidentBytes();
  {
    const LoadingMemory outer;
    { const LoadingMemory inner; }
    Megabytes(64);
    EXPECT_LT(ResidentBytes(), before + 4 * kMegabyte);
  }
  Megabytes(64);
  EXPECT_GT(ResidentBytes(), before + 60 * kMegabyte) << "kept again";
}
#endif

TEST(DeviceNamesEdgesTest, ANumberThatIsNoneIsNamed) {
  EXPECT_THAT(ResolveDevices({"cpu:many"}),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       "device \"cpu:many\" is not known"));
}

// The configuration refuses it too, but other programs take names as well.
TEST(DeviceNamesEdgesTest, ANumberBelowOneIsNoNumberOfWorkers) {
  for (const char* name : {"cpu:-1", "cpu:0", "cuda:-1"}) {
    EXPECT_THAT(ResolveDevices({name}),
                StatusIs(absl::StatusCode::kInvalidArgument, name))
        << name;
  }
}

TEST(DeviceNamesEdgesTest, TheCpuHasANameAndMemory) {
  EXPECT_NE(DeviceName(at::kCPU), "");
  EXPECT_GT(DeviceMemoryBytes(at::kCPU), 64 * kMegabyte);
}

}  // namespace
}  // namespace genzo
