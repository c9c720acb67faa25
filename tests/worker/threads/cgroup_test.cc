#include "worker/threads/cgroup.h"

#include <fstream>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/testing/test_folder.h"

namespace genzo {
namespace {

using ::testing::Optional;

// A tree like /sys/fs/cgroup, and what /proc/self/cgroup says of it.
class CgroupTest : public ::testing::Test {
 protected:
  void Write(const std::string& name, const std::string& text) {
    const std::filesystem::path path =
        std::filesystem::path(folder_.path()) / name;
    std::filesystem::create_directories(path.parent_path());
    std::ofstream(path) << text << "\n";
  }
  Cgroup MakeCgroup(const std::string& membership) {
    Write("membership", membership);
    const std::filesystem::path folder = folder_.path();
    return {folder / "membership", folder / "root"};
  }

  const TestFolder folder_;
};

TEST_F(CgroupTest, NoFilesNoLimits) {
  const Cgroup cgroup("/nowhere", "/nowhere");
  EXPECT_EQ(cgroup.cores(), std::nullopt);
  EXPECT_EQ(cgroup.memory_bytes(), std::nullopt);
}

TEST_F(CgroupTest, ReadsVersion2) {
  Write("root/pod/cpu.max", "150000 100000");
  Write("root/pod/memory.max", "1073741824");
  const Cgroup cgroup = MakeCgroup("0::/pod");
  EXPECT_THAT(cgroup.cores(), Optional(1.5));
  EXPECT_THAT(cgroup.memory_bytes(), Optional(int64_t{1} << 30));
}

TEST_F(CgroupTest, MaxIsNoLimit) {
  Write("root/pod/cpu.max", "max 100000");
  Write("root/pod/memory.max", "max");
  const Cgroup cgroup = MakeCgroup("0::/pod");
  EXPECT_EQ(cgroup.cores(), std::nullopt);
  EXPECT_EQ(cgroup.memory_bytes(), std::nullopt);
}

TEST_F(CgroupTest, TheTightestOfTheGroupsAroundCounts) {
  Write("root/slice/cpu.max", "100000 100000");
  Write("root/slice/pod/cpu.max", "300000 100000");
  Write("root/slice/memory.max", "1000");
  Write("root/slice/pod/memory.max", "max");
  const Cgroup cgroup = MakeCgroup("0::/slice/pod");
  EXPECT_THAT(cgroup.cores(), Optional(1.0));
  EXPECT_THAT(cgroup.memory_bytes(), Optional(1000));
}

// Docker on version 1: the group's name is the host's, and only its contents
// are mounted.
TEST_F(CgroupTest, ReadsVersion1FromTheMountWhereTheGroupIsNotSeen) {
  Write("root/cpu/cpu.cfs_quota_us", "250000");
  Write("root/cpu/cpu.cfs_period_us", "100000");
  Write("root/memory/memory.limit_in_bytes", "2000");
  const Cgroup cgroup =
      MakeCgroup("5:memory:/docker/abc\n4:cpu,cpuacct:/docker/abc\n0::/");
  EXPECT_THAT(cgroup.cores(), Optional(2.5));
  EXPECT_THAT(cgroup.memory_bytes(), Optional(2000));
}

TEST_F(CgroupTest, MinusOneIsNoQuota) {
  Write("root/cpu,cpuacct/cpu.cfs_quota_us", "-1");
  Write("root/cpu,cpuacct/cpu.cfs_period_us", "100000");
  EXPECT_EQ(MakeCgroup("4:cpu,cpuacct:/").cores(), std::nullopt);
}

TEST_F(CgroupTest, BothVersionsBesideEachOther) {
  Write("root/cpu/cpu.cfs_quota_us", "400000");
  Write("root/cpu/cpu.cfs_period_us", "100000");
  Write("root/unified/box/cpu.max", "200000 100000");
  EXPECT_THAT(MakeCgroup("4:cpu:/\n0::/box").cores(), Optional(2.0));
}

}  // namespace
}  // namespace genzo
