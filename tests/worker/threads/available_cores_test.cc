#include "worker/threads/available_cores.h"

#include <optional>

#include "gtest/gtest.h"

namespace genzo {
namespace {

TEST(AvailableCoresTest, WithoutAQuotaAllThatTheProcessMayUse) {
  EXPECT_EQ(CoresOf(16, std::nullopt), 16);
}

TEST(AvailableCoresTest, APartOfACoreIsRoundedUp) {
  EXPECT_EQ(CoresOf(16, 1.5), 2);
  EXPECT_EQ(CoresOf(16, 2.0), 2);
  EXPECT_EQ(CoresOf(16, 0.1), 1);
}

TEST(AvailableCoresTest, AQuotaOfMoreThanThereIsChangesNothing) {
  EXPECT_EQ(CoresOf(4, 7.5), 4);
  EXPECT_EQ(CoresOf(4, 1e9), 4);
}

TEST(AvailableCoresTest, ThereIsOneAtLeast) {
  EXPECT_EQ(CoresOf(0, std::nullopt), 1);
  EXPECT_EQ(CoresOf(4, 0.0), 1);
}

TEST(AvailableCoresTest, ThisMachineHasSome) {
  EXPECT_GE(AvailableCores(), 1);
  EXPECT_GE(DefaultThreads(), 1);
}

}  // namespace
}  // namespace genzo
