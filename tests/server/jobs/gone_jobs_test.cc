#include "server/jobs/gone_jobs.h"

#include <filesystem>
#include <fstream>
#include <optional>

#include "base/proto_time.h"
#include "gmock/gmock.h"
#include "tests/testing/full_disk.h"
#include "tests/testing/matchers.h"
#include "tests/testing/request_ids.h"
#include "tests/testing/test_folder.h"

namespace genzo {
namespace {

using ::testing::ElementsAre;

constexpr absl::Duration kDay = absl::Hours(24);

internal::v1::KeptJob EndedJob(const std::string& id) {
  internal::v1::KeptJob job;
  job.set_tenant("t");
  job.set_digest(std::string(32, 'd'));
  job.mutable_job()->set_id(id);
  job.mutable_job()->set_request_id(kRequestId);
  job.mutable_job()->set_state(v1::JOB_STATE_SUCCEEDED);
  job.mutable_job()->set_images_done(1);
  job.mutable_job()->mutable_resolved()->set_prompt("a secret");
  job.mutable_job()->mutable_create_time()->set_seconds(1);
  job.mutable_job()->mutable_end_time()->set_seconds(2);
  return job;
}

class GoneJobsTest : public ::testing::Test {
 protected:
  std::vector<std::string> Found(absl::Time now) const {
    std::vector<std::string> ids;
    for (const auto& job : GoneJobs(folder_.path(), kDay).TakeOver(now)) {
      ids.push_back(job.job().id());
    }
    return ids;
  }
  int64_t BytesOnDisk() const {
    int64_t bytes = 0;
    for (const auto& file :
         std::filesystem::directory_iterator(folder_.path())) {
      bytes += static_cast<int64_t>(file.file_size());
    }
    return bytes;
  }

  const TestFolder folder_;
  const absl::Time now_ = absl::FromUnixSeconds(1'000'000);
};

TEST_F(GoneJobsTest, ANextServerKnowsThemForTheirTimeAndNotWhatTheyPainted) {
  GoneJobs gone(folder_.path(), kDay);
  gone.TakeOver(now_);
  ASSERT_THAT(gone.Add({EndedJob("a")}, now_), IsOk());
  ASSERT_THAT(gone.Add({EndedJob("b")}, now_ + absl::Hours(1)), IsOk());
  const auto found = GoneJobs(folder_.path(), kDay).TakeOver(now_);
  ASSERT_EQ(found.size(), 2u);
  EXPECT_EQ(found[0].tenant(), "t");
  EXPECT_EQ(found[0].digest(), std::string(32, 'd'));
  EXPECT_EQ(found[0].job().request_id(), kRequestId);
  EXPECT_EQ(FromProto(found[0].job().expire_time()), now_);
  EXPECT_FALSE(found[0].job().has_resolved());
  EXPECT_THAT(Found(now_ + kDay), ElementsAre("b"));
  EXPECT_THAT(Found(now_), ElementsAre("b")) << "a is not on disk any more";
}

TEST_F(GoneJobsTest, WhatACrashLeftOfOneHidesNoOther) {
  {
    GoneJobs gone(folder_.path(), kDay);
    gone.TakeOver(now_);
    ASSERT_THAT(gone.Add({EndedJob("a")}, now_), IsOk());
  }
  std::ofstream(folder_.path() + "/.gone", std::ios::app) << "\x80\x01half";
  GoneJobs gone(folder_.path(), kDay);
  EXPECT_EQ(gone.TakeOver(now_).size(), 1u);
  ASSERT_THAT(gone.Add({EndedJob("b")}, now_), IsOk());
  EXPECT_THAT(Found(now_), ElementsAre("a", "b"));
}

TEST_F(GoneJobsTest, WhatACrashLeftHidesNoOtherIfADiskIsFullAtTheStart) {
  {
    GoneJobs gone(folder_.path(), kDay);
    gone.TakeOver(now_);
    ASSERT_THAT(gone.Add({EndedJob("a")}, now_), IsOk());
  }
  std::ofstream(folder_.path() + "/.gone", std::ios::app) << "\x80\x01half";
  GoneJobs gone(folder_.path(), kDay);
  {
    const FullDisk full;
    EXPECT_EQ(gone.TakeOver(now_).size(), 1u);
  }
  ASSERT_THAT(gone.Add({EndedJob("b")}, now_), IsOk());
  ASSERT_THAT(gone.Add({EndedJob("c")}, now_), IsOk());
  EXPECT_THAT(Found(now_), ElementsAre("a", "b", "c"));
}

TEST_F(GoneJobsTest, TheirFilesAreBounded) {
  constexpr int64_t kMost = 1000;
  std::optional<GoneJobs> gone;
  for (int i = 0; i < 100; ++i) {
    if (i % 10 == 0) gone.emplace(folder_.path(), kDay, kMost).TakeOver(now_);
    ASSERT_THAT(gone->Add({EndedJob(std::to_string(i))}, now_), IsOk());
    ASSERT_LT(BytesOnDisk(), 2 * kMost + 400) << "job " << i;
  }
  EXPECT_GT(BytesOnDisk(), kMost);
  EXPECT_EQ(Found(now_).back(), "99");
}

TEST_F(GoneJobsTest, AFileIsBegunAnewAfterADay) {
  GoneJobs gone(folder_.path(), kDay);
  gone.TakeOver(now_);
  ASSERT_THAT(gone.Add({EndedJob("a")}, now_), IsOk());
  ASSERT_THAT(gone.Add({EndedJob("b")}, now_ + kDay), IsOk());
  const int64_t of_two = BytesOnDisk();
  ASSERT_THAT(gone.Add({EndedJob("c")}, now_ + 2 * kDay), IsOk());
  EXPECT_EQ(BytesOnDisk(), of_two) << "a is forgotten";
}

TEST_F(GoneJobsTest, AFullDiskLeavesThemAsTheyWere) {
  GoneJobs gone(folder_.path(), kDay);
  gone.TakeOver(now_);
  ASSERT_THAT(gone.Add({EndedJob("a")}, now_), IsOk());
  {
    const FullDisk full(static_cast<rlim_t>(BytesOnDisk()) + 10);
    EXPECT_THAT(gone.Add({EndedJob("b")}, now_),
                StatusIs(absl::StatusCode::kUnavailable, "cannot be written"));
  }
  ASSERT_THAT(gone.Add({EndedJob("c")}, now_), IsOk());
  EXPECT_THAT(Found(now_), ElementsAre("a", "c"));
}

}  // namespace
}  // namespace genzo
