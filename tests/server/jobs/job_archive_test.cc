#include "server/jobs/job_archive.h"

#include <filesystem>

#include "absl/synchronization/notification.h"
#include "base/errors.h"
#include "queue/job_end.h"
#include "tests/testing/fake_clock.h"
#include "tests/testing/matchers.h"
#include "tests/testing/request_ids.h"
#include "tests/testing/test_folder.h"

namespace genzo {
namespace {

const ReaderListener kNobody = {.event = [] {}, .given_up = [] {}};

class JobArchiveTest : public ::testing::Test {
 protected:
  std::unique_ptr<JobArchive> OpenArchive(int64_t results_bytes = 1 << 20) {
    auto archive = JobArchive::Open(
        {.jobs = {.results_folder = folder_.path() + "/results",
                  .results_bytes = results_bytes}},
        /*cancel=*/[](const std::string&) {},
        /*moved=*/
        [this](const internal::v1::KeptJob& job) {
          if (job.job().has_end_time()) ++ends_;
        },
        clock_, metrics_);
    EXPECT_THAT(archive, IsOk());
    return *std::move(archive);
  }

  static internal::v1::KeptJob Kept(const std::string& id) {
    internal::v1::KeptJob job;
    job.set_tenant("t");
    job.set_digest("d");
    job.mutable_job()->set_id(id);
    job.mutable_job()->set_request_id(kRequestId);
    return job;
  }
  static JobFile FileFor(const std::string& id,
                         const std::string& request_id = kRequestId) {
    return {.job_id = id,
            .tenant = "t",
            .request_id = request_id,
            .digest = "d",
            .goes_on = true,
            .is_kept = true};
  }

  static void Add(JobArchive& archive, const std::string& id) {
    ASSERT_THAT(archive.logs().File(FileFor(id)), IsOk());
    archive.book().Add(Kept(id));
  }
  // Keeps the job as it is queued, and waits for that.
  static absl::Status Keep(JobArchive& archive, const std::string& id) {
    return Keep(archive, Kept(id));
  }
  static absl::Status Keep(JobArchive& archive, internal::v1::KeptJob job) {
    job.mutable_queued()->set_id(job.job().id());
    absl::Notification is_answered;
    absl::Status kept;
    archive.Keep(std::move(job), [&](const absl::Status& status) {
      kept = status;
      is_answered.Notify();
    });
    is_answered.WaitForNotification();
    return kept;
  }
  static void Post(JobArchive& archive, const std::string& id, int sequence,
                   v1::JobEvent event) {
    event.set_job_id(id);
    event.set_sequence(sequence);
    archive.logs().SinkOf(id)->Post(std::move(event));
  }
  static void PostImageAndEnd(JobArchive& archive, const std::string& id) {
    v1::JobEvent event;
    event.mutable_image()->mutable_picture()->set_data("picture");
    Post(archive, id, 1, event);
    *event.mutable_ended() = EndedBy(absl::OkStatus());
    Post(archive, id, 2, event);
  }

  static std::string ReasonOf(JobArchive& archive, const std::string& id) {
    return ErrorReason(archive.Watch("t", id, 0, kNobody).status());
  }

  const TestFolder folder_;
  FakeClock clock_;
  Metrics metrics_;
  int ends_ = 0;
};

TEST_F(JobArchiveTest, ResultsOutliveTheServer) {
  {
    const auto archive = OpenArchive();
    Add(*archive, "a");
    PostImageAndEnd(*archive, "a");
  }
  const auto archive = OpenArchive();
  EXPECT_TRUE(archive->TakeUnfinished().empty());
  EXPECT_EQ(archive->book().Get("t", "a")->job().state(),
            v1::JOB_STATE_SUCCEEDED);
  auto reader = archive->Watch("t", "a", 0, kNobody);
  ASSERT_THAT(reader, IsOk());
  EXPECT_EQ((*reader)->Next()->image().picture().data(), "picture");
  EXPECT_TRUE((*reader)->Next()->has_ended());
  EXPECT_EQ((*reader)->Next(), nullptr);
  // From after the image on, and whatever it claims to have, the end.
  for (uint64_t after : {1, 2, 99}) {
    reader = archive->Watch("t", "a", after, kNobody);
    ASSERT_THAT(reader, IsOk());
    EXPECT_TRUE((*reader)->Next()->has_ended());
  }
}

TEST_F(JobArchiveTest, WhatTheDiskLostTellsHowItEnded) {
  {
    const auto archive = OpenArchive();
    Add(*archive, "a");
    PostImageAndEnd(*archive, "a");
  }
  const auto archive = OpenArchive();
  std::filesystem::remove(folder_.path() + "/results/a.job");
  const absl::Status lost = archive->Watch("t", "a", 0, kNobody).status();
  EXPECT_EQ(ErrorReason(lost), "JOB_EXPIRED");
  EXPECT_THAT(ToRpcStatus(lost).SerializeAsString(),
              ::testing::HasSubstr("JOB_STATE_SUCCEEDED"));
}

TEST_F(JobArchiveTest, OnDiskResultsTakeNoMemory) {
  const auto archive = OpenArchive();
  Add(*archive, "a");
  PostImageAndEnd(*archive, "a");
  Add(*archive, "b");
  EXPECT_THAT(Keep(*archive, "b"), IsOk());  // the disk has got to here
  EXPECT_EQ(metrics_.undelivered_bytes().Value(), 0);
  EXPECT_THAT(archive->Watch("t", "a", 0, kNobody), IsOk());
  EXPECT_EQ(metrics_.undelivered_bytes().Value(), 0);
}

TEST_F(JobArchiveTest, ARequestIdFindsTheJobThatIsOnDisk) {
  {
    const auto archive = OpenArchive();
    Add(*archive, "a");
    PostImageAndEnd(*archive, "a");
  }
  const auto archive = OpenArchive();
  JobFile again = FileFor("b");
  const auto found = archive->FindAgain(again);
  ASSERT_THAT(found, IsOk());
  EXPECT_EQ(*found, "a");
  EXPECT_EQ(metrics_.undelivered_bytes().Value(), 0) << "nobody reads it";
  EXPECT_THAT(archive->Watch("t", *found, 0, kNobody), IsOk());
  again.digest = "of another";
  EXPECT_EQ(ErrorReason(archive->FindAgain(again).status()),
            "REQUEST_ID_IN_USE");
}

TEST_F(JobArchiveTest, AJobWithoutAnEndIsFoundByTheNextServer) {
  {
    const auto archive = OpenArchive();
    Add(*archive, "a");
    EXPECT_THAT(Keep(*archive, "a"), IsOk());
    // The server stops before it.
    v1::JobEvent event;
    *event.mutable_ended() =
        EndedBy(RetryLaterError("DRAINING", "stops", absl::ZeroDuration()));
    Post(*archive, "a", 1, event);
    EXPECT_EQ(ends_, 0) << "nobody is told of what is none";
  }
  const auto archive = OpenArchive();
  const auto unfinished = archive->TakeUnfinished();
  ASSERT_EQ(unfinished.size(), 1u);
  EXPECT_EQ(unfinished[0].queued().id(), "a");
  Add(*archive, "a");
  PostImageAndEnd(*archive, "a");
  EXPECT_EQ(ends_, 1);
}

TEST_F(JobArchiveTest, WebhooksThatNobodyTookAreFoundByTheNextServer) {
  {
    const auto archive = OpenArchive();
    for (const char* id : {"taken", "waits", "runs"}) {
      ASSERT_THAT(archive->logs().File(FileFor(id, /*request_id=*/"")), IsOk());
      internal::v1::KeptJob job = Kept(id);
      job.mutable_job()->clear_request_id();
      job.set_webhook("https://a.org/");
      archive->book().Add(job);
      ASSERT_THAT(Keep(*archive, job), IsOk());
    }
    ResultStore::NoteToldIn(folder_.path() + "/results", "taken");
    ResultStore::NoteToldIn(folder_.path() + "/results", "unheard of");
    PostImageAndEnd(*archive, "taken");
    PostImageAndEnd(*archive, "waits");
  }
  std::filesystem::remove(folder_.path() + "/results/" +
                          ResultStore::kCleanEnd);
  const auto archive = OpenArchive();
  const auto untold = archive->TakeUntold();
  ASSERT_EQ(untold.size(), 1u);
  EXPECT_EQ(untold[0].job().id(), "waits");
  EXPECT_EQ(untold[0].job().state(), v1::JOB_STATE_SUCCEEDED);
  EXPECT_THAT(archive->TakeUntold(), ::testing::IsEmpty());
  const auto unfinished = archive->TakeUnfinished();
  ASSERT_EQ(unfinished.size(), 1u);
  EXPECT_EQ(unfinished[0].webhook(), "https://a.org/");
}

TEST_F(JobArchiveTest, AJobThatBeganBeforeItWasOnDiskHasBegun) {
  for (const bool before : {true, false}) {
    {
      const auto archive = OpenArchive();
      Add(*archive, "a");
      v1::JobEvent event;
      event.mutable_started();
      if (before) Post(*archive, "a", 1, event);
      EXPECT_THAT(Keep(*archive, "a"), IsOk());
      if (!before) Post(*archive, "a", 1, event);
    }
    EXPECT_TRUE(std::filesystem::exists(folder_.path() + "/results/a.begun"));
    std::filesystem::remove_all(folder_.path() + "/results");
  }
}

TEST_F(JobArchiveTest, AJobThatNobodyMayComeForIsNotBegunAnew) {
  {
    const auto archive = OpenArchive();
    JobFile file = FileFor("a");
    file.goes_on = false;
    auto opened = archive->logs().Open(file, kNobody);
    ASSERT_THAT(opened, IsOk());
    archive->book().Add(Kept("a"));
    EXPECT_THAT(Keep(*archive, "a"), IsOk());
    opened->reader.reset();  // the last reader leaves
    v1::JobEvent event;
    *event.mutable_ended() = EndedBy(JobCancelledError());
    Post(*archive, "a", 1, event);
  }
  EXPECT_TRUE(OpenArchive()->TakeUnfinished().empty());
}

TEST_F(JobArchiveTest, ResultsThatCannotBeWrittenStayInMemory) {
  const auto archive = OpenArchive();
  std::filesystem::remove_all(folder_.path() + "/results");
  Add(*archive, "a");
  PostImageAndEnd(*archive, "a");
  Add(*archive, "b");
  EXPECT_EQ(ErrorReason(Keep(*archive, "b")), "NOT_KEPT");
  const auto reader = archive->Watch("t", "a", 0, kNobody);
  ASSERT_THAT(reader, IsOk());
  EXPECT_EQ((*reader)->Next()->image().picture().data(), "picture");
}

TEST_F(JobArchiveTest, ResultsExpireOnDiskToo) {
  {
    const auto archive = OpenArchive();
    Add(*archive, "a");
    PostImageAndEnd(*archive, "a");
    clock_.Advance(absl::Hours(23));
    archive->Sweep();
    EXPECT_EQ(ReasonOf(*archive, "a"), "");
    clock_.Advance(absl::Hours(1));
    archive->Sweep();
    EXPECT_EQ(ReasonOf(*archive, "a"), "JOB_EXPIRED");
    EXPECT_EQ(ReasonOf(*archive, "b"), "JOB_UNKNOWN");
  }
  // For a day after they went, in whatever server.
  clock_.Advance(absl::Hours(23));
  EXPECT_EQ(ReasonOf(*OpenArchive(), "a"), "JOB_EXPIRED");
  clock_.Advance(absl::Hours(1));
  EXPECT_EQ(ReasonOf(*OpenArchive(), "a"), "JOB_UNKNOWN");
}

TEST_F(JobArchiveTest, ARequestIdStandsForADayWhateverBecameOfItsResults) {
  {
    const auto archive = OpenArchive(/*results_bytes=*/1);
    Add(*archive, "a");
    PostImageAndEnd(*archive, "a");
  }
  EXPECT_FALSE(std::filesystem::exists(folder_.path() + "/results/a.job"))
      << "there is no room for it";
  JobFile again = FileFor("b");
  JobFile other = again;
  other.digest = "of another";
  for (int restarts = 0; restarts < 2; ++restarts) {
    const auto archive = OpenArchive();
    EXPECT_EQ(ErrorReason(archive->FindAgain(again).status()), "JOB_EXPIRED");
    EXPECT_EQ(ErrorReason(archive->FindAgain(other).status()),
              "REQUEST_ID_IN_USE");
  }
  clock_.Advance(absl::Hours(24));
  const auto archive = OpenArchive();
  archive->Sweep();
  EXPECT_THAT(archive->FindAgain(other), IsOk());
}

}  // namespace
}  // namespace genzo
