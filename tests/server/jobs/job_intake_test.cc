#include "server/jobs/job_intake.h"

#include <filesystem>

#include "absl/synchronization/notification.h"
#include "base/errors.h"
#include "base/proto_time.h"
#include "queue/job_end.h"
#include "queue/memory_job_queue.h"
#include "queue/pool_load.h"
#include "tests/testing/fake_clock.h"
#include "tests/testing/matchers.h"
#include "tests/testing/request_ids.h"
#include "tests/testing/test_folder.h"

namespace genzo {
namespace {

class JobIntakeTest : public ::testing::Test {
 protected:
  JobIntakeTest() {
    v1::Model model;
    model.set_id("tiny");
    model.set_state(v1::Model::STATE_RESIDENT);
    model.set_default_width(64);
    model.set_default_height(64);
    model.mutable_limits()->set_max_side(64);
    model.mutable_limits()->set_max_steps(100);
    model.mutable_limits()->set_max_image_count(4);
    model.set_default_sampler(v1::SAMPLER_DDIM);
    model.add_samplers()->set_sampler(v1::SAMPLER_DDIM);
    catalog_.Put(model);
  }

  absl::StatusOr<std::unique_ptr<EventReader>> Submit(
      const v1::GenerateRequest& request,
      absl::Time deadline = absl::InfiniteFuture()) {
    return intake_.Submit(request, {.tenant = "t"}, deadline,
                          {.event = [] {}, .given_up = [] {}});
  }

  // The deadline of the job that `request` makes.
  absl::Time DeadlineOf(const v1::GenerateRequest& request,
                        absl::Time call_deadline) {
    const auto reader = Submit(request, call_deadline);
    EXPECT_THAT(reader, IsOk());
    const internal::v1::Job job = queue_.Take({})->job();
    return job.has_deadline() ? FromProto(job.deadline())
                              : absl::InfiniteFuture();
  }

  FakeClock clock_;
  Metrics metrics_;
  PoolLoad load_;
  MemoryJobQueue queue_{/*capacity=*/2, clock_, metrics_, load_};
  ModelCatalog catalog_{"tiny"};
  const std::unique_ptr<JobArchive> archive_ = *JobArchive::Open(
      {}, [this](const std::string& id) { queue_.Cancel(id); },
      /*moved=*/nullptr, clock_, metrics_);
  Quotas quotas_{clock_};
  JobIntake intake_{
      {}, {queue_, catalog_, metrics_, clock_, quotas_}, *archive_};
};

TEST_F(JobIntakeTest, QueuesTheResolvedRequest) {
  const auto reader = Submit({});
  ASSERT_THAT(reader, IsOk());
  EXPECT_TRUE((*reader)->Next()->has_queued());
  const auto lease = queue_.Take({});
  EXPECT_EQ(lease->job().id(), (*reader)->job_id());
  EXPECT_EQ(lease->job().tenant(), "t");
  EXPECT_EQ(lease->job().request().model(), "tiny");
  EXPECT_TRUE(lease->job().request().has_seed());
}

TEST_F(JobIntakeTest, TheModelSaysHowManyRowsAnImageHas) {
  const auto rows = [this](double guidance_scale) {
    v1::GenerateRequest request;
    request.set_guidance_scale(guidance_scale);
    const auto reader = Submit(request);
    return queue_.Take({})->job().rows_per_image();
  };
  EXPECT_EQ(rows(1), 1u);
  EXPECT_EQ(rows(7.5), 2u) << "it has not said so far";
  v1::Model model = *catalog_.Get("tiny");
  model.set_rows_per_image(1);
  model.set_guided_rows_per_image(3);
  catalog_.Put(model);
  EXPECT_EQ(rows(7.5), 3u);
}

TEST_F(JobIntakeTest, GuidanceBesideTheOneThatIsToldCostsARow) {
  v1::Model model = *catalog_.Get("tiny");
  model.set_rows_per_image(1);
  model.set_guided_rows_per_image(1);
  model.add_request_fields("true_guidance_scale");
  catalog_.Put(model);
  const auto rows = [this](double true_guidance_scale) {
    v1::GenerateRequest request;
    request.set_guidance_scale(3.5);
    request.set_true_guidance_scale(true_guidance_scale);
    const auto reader = Submit(request);
    EXPECT_THAT(reader, IsOk());
    return queue_.Take({})->job().rows_per_image();
  };
  EXPECT_EQ(rows(1), 1u);
  EXPECT_EQ(rows(2.5), 2u);
}

TEST_F(JobIntakeTest, ModelsOfFlowMatchingAreChargedACutStep) {
  const auto steps = [this] {
    const auto reader = Submit({});
    EXPECT_THAT(reader, IsOk());
    internal::v1::Job job = queue_.Take({})->job();
    job.mutable_request()->set_steps(8);
    job.mutable_request()->mutable_image_to_image()->set_strength(0.6);
    return StepsToWalk(job);
  };
  EXPECT_EQ(steps(), 4);
  v1::Model model = *catalog_.Get("tiny");
  model.set_default_sampler(v1::SAMPLER_FLOW_EULER);
  model.add_samplers()->set_sampler(v1::SAMPLER_FLOW_EULER);
  catalog_.Put(model);
  EXPECT_EQ(steps(), 5);
}

TEST_F(JobIntakeTest, TheCallsDeadlineIsTheJobsUnlessItGoesOn) {
  const absl::Time deadline = clock_.Now() + absl::Seconds(9);
  v1::GenerateRequest request;
  EXPECT_EQ(DeadlineOf(request, absl::InfiniteFuture()),
            absl::InfiniteFuture());
  EXPECT_EQ(DeadlineOf(request, deadline), deadline);
  request.mutable_time_limit()->set_seconds(5);
  EXPECT_EQ(DeadlineOf(request, deadline), clock_.Now() + absl::Seconds(5));
  request.mutable_time_limit()->set_seconds(50);
  EXPECT_EQ(DeadlineOf(request, deadline), deadline);
  request.set_on_disconnect(v1::ON_DISCONNECT_CONTINUE);
  request.set_request_id(kRequestId);
  EXPECT_EQ(DeadlineOf(request, deadline), clock_.Now() + absl::Seconds(50));
}

TEST_F(JobIntakeTest, ARefusedJobIsNotFiled) {
  queue_.Close();
  v1::GenerateRequest request;
  request.set_request_id(kRequestId);
  EXPECT_EQ(ErrorReason(Submit(request).status()), "DRAINING");
  EXPECT_EQ(ErrorReason(Submit(request).status()), "DRAINING")
      << "not found again as if it had been taken";
  EXPECT_EQ(metrics_.streams().Value(), 0);
}

TEST_F(JobIntakeTest, LeavingCancelsTheJob) {
  auto reader = Submit({});
  const auto lease = queue_.Take({});
  EXPECT_FALSE(lease->cancelled());
  reader->reset();
  EXPECT_TRUE(lease->cancelled());
}

TEST_F(JobIntakeTest, TheSameRequestMakesOneJob) {
  v1::GenerateRequest request;
  request.set_request_id(kRequestId);
  const auto first = Submit(request);
  const auto second = Submit(request);
  ASSERT_THAT(second, IsOk());
  EXPECT_EQ((*first)->job_id(), (*second)->job_id());
  const auto lease = queue_.TryTake({});
  EXPECT_NE(lease, nullptr);
  EXPECT_EQ(queue_.TryTake({}), nullptr);
}

TEST_F(JobIntakeTest, ARequestIsReadAgainThoughItsModelTakesNoMore) {
  v1::GenerateRequest request;
  request.set_request_id(kRequestId);
  const auto first = Submit(request);
  v1::Model model = *catalog_.Get("tiny");
  model.set_state(v1::Model::STATE_FAILED);
  catalog_.Put(model);
  const auto again = Submit(request);
  ASSERT_THAT(again, IsOk());
  EXPECT_EQ((*again)->job_id(), (*first)->job_id());
  EXPECT_EQ(ErrorReason(Submit({}).status()), "MODEL_FAILED");
}

TEST_F(JobIntakeTest, WhoComesBackWhileTheCancelledJobEndsGetsANewOne) {
  v1::GenerateRequest request;
  request.set_request_id(kRequestId);
  auto first = Submit(request);
  const std::string id = (*first)->job_id();
  const auto lease = queue_.Take({});
  first->reset();
  ASSERT_TRUE(lease->cancelled());
  const auto again = Submit(request);
  ASSERT_THAT(again, IsOk());
  EXPECT_NE((*again)->job_id(), id);
  // The end of the first does not unmake the second.
  lease->End(EndedBy(JobCancelledError()));
  EXPECT_EQ((*Submit(request))->job_id(), (*again)->job_id());
}

TEST_F(JobIntakeTest, AnswersTheSameReproducibleRequestWithWhatWasKept) {
  const auto results = *ResultCache::Open({.bytes = 1 << 20}, metrics_);
  JobIntake intake{{},
                   {queue_, catalog_, metrics_, clock_, quotas_,
                    /*predict=*/nullptr, results.get()},
                   *archive_};
  v1::GenerateRequest request;
  request.set_seed(5);
  request.set_reproducibility(v1::REPRODUCIBILITY_REPRODUCIBLE);
  const auto submit = [&](const std::string& tenant) {
    auto reader = intake.Submit(request, {.tenant = tenant},
                                absl::InfiniteFuture(), {.event = [] {}});
    EXPECT_THAT(reader, IsOk());
    return *std::move(reader);
  };
  const auto first = submit("t");
  v1::JobEvent event;
  event.mutable_image()->mutable_picture()->set_data("picture");
  const auto lease = queue_.Take({});
  lease->Post(event);
  lease->End(EndedBy(absl::OkStatus()));

  const auto again = submit("t");
  EXPECT_TRUE(again->Next()->has_queued());
  const auto started = again->Next();
  EXPECT_TRUE(started->started().from_cache());
  EXPECT_EQ(started->started().resolved().seed(), 5u);
  EXPECT_EQ(started->job_id(), again->job_id());
  EXPECT_EQ(again->Next()->image().picture().data(), "picture");
  EXPECT_EQ(again->Next()->ended().state(), v1::JOB_STATE_SUCCEEDED);
  EXPECT_EQ(queue_.TryTake({}), nullptr) << "nobody paints it";

  EXPECT_EQ(metrics_.ForModel("tiny").jobs_succeeded.Value(), 1)
      << "workers count those that they end";
  EXPECT_EQ(metrics_.ForModel("tiny").images.Value(), 1);

  const auto other = submit("other");
  EXPECT_NE(queue_.TryTake({}), nullptr) << "another tenant's are its own";
}

// Jobs that are kept in a folder.
class KeptJobsTest : public JobIntakeTest {
 protected:
  std::unique_ptr<JobArchive> OpenArchive() {
    auto archive = JobArchive::Open(
        {.jobs = {.results_folder = results_}},
        [this](const std::string& id) { queue_.Cancel(id); },
        /*moved=*/nullptr, clock_, metrics_);
    EXPECT_THAT(archive, IsOk());
    return *std::move(archive);
  }
  // The id of a job that is on disk.
  std::string Create(JobArchive& archive) {
    JobIntake intake{
        {}, {queue_, catalog_, metrics_, clock_, quotas_}, archive};
    std::string id;
    absl::Notification is_kept;
    intake.Create({}, {.tenant = "t"}, /*webhook=*/"",
                  [&](const absl::StatusOr<internal::v1::KeptJob>& job) {
                    EXPECT_THAT(job, IsOk());
                    if (job.ok()) id = job->job().id();
                    is_kept.Notify();
                  });
    is_kept.WaitForNotification();
    return id;
  }
  void PaintOne() {
    v1::JobEvent event;
    event.mutable_image()->mutable_picture()->set_data("picture");
    const auto lease = queue_.Take({});
    lease->Post(event);
    lease->End(EndedBy(absl::OkStatus()));
  }
  // Until all is done that was asked of it.
  static void WaitForDisk(JobArchive& archive) {
    absl::Notification is_done;
    archive.Keep({}, [&](const absl::Status&) { is_done.Notify(); });
    is_done.WaitForNotification();
  }

  const TestFolder folder_;
  const std::string results_ = folder_.path() + "/results";
};

TEST_F(KeptJobsTest, ResultsThatCannotBeWrittenAreOnceThereIsRoom) {
  for (const bool by_the_end : {false, true}) {
    auto archive = OpenArchive();
    const std::string id = Create(*archive);
    // Nothing can be written under this name.
    const std::string obstacle = results_ + "/" + id + ".job.unfinished";
    std::filesystem::create_directory(obstacle);
    const double before = metrics_.results_not_kept().Value();
    PaintOne();
    clock_.Advance(JobArchive::kRetryWriting);
    archive->Sweep();
    WaitForDisk(*archive);
    EXPECT_EQ(metrics_.results_not_kept().Value(), before + 1);
    EXPECT_GT(metrics_.undelivered_bytes().Value(), 0);
    std::filesystem::remove(obstacle);
    if (!by_the_end) {
      clock_.Advance(JobArchive::kRetryWriting);
      archive->Sweep();
      WaitForDisk(*archive);
      EXPECT_EQ(metrics_.undelivered_bytes().Value(), 0) << "it is on disk";
    }
    archive.reset();
    archive = OpenArchive();
    EXPECT_TRUE(archive->TakeUnfinished().empty());
    EXPECT_EQ(archive->book().Get("t", id)->job().state(),
              v1::JOB_STATE_SUCCEEDED);
  }
}

TEST_F(KeptJobsTest, AStreamsJobThatGoesOnDoesSoOnTheNextServer) {
  const auto submit = [this](JobArchive& archive,
                             const v1::GenerateRequest& request) {
    JobIntake intake{
        {}, {queue_, catalog_, metrics_, clock_, quotas_}, archive};
    auto reader =
        intake.Submit(request, {.tenant = "t"}, absl::InfiniteFuture(),
                      {.event = [] {}, .given_up = [] {}});
    EXPECT_THAT(reader, IsOk());
    return *std::move(reader);
  };
  v1::GenerateRequest goes_on;
  goes_on.set_request_id(kRequestId);
  goes_on.set_on_disconnect(v1::ON_DISCONNECT_CONTINUE);
  std::string id;
  {
    const auto archive = OpenArchive();
    const auto reader = submit(*archive, goes_on);
    const auto other = submit(*archive, {});
    id = reader->job_id();
    WaitForDisk(*archive);
    for (int i = 0; i < 2; ++i) {
      queue_.Take({})->End(EndedBy(DrainingError()));
    }
  }
  const auto archive = OpenArchive();
  JobIntake intake{{}, {queue_, catalog_, metrics_, clock_, quotas_}, *archive};
  intake.Resume();
  EXPECT_EQ(submit(*archive, goes_on)->job_id(), id);
  const auto lease = queue_.TryTake({});
  ASSERT_NE(lease, nullptr);
  EXPECT_EQ(lease->job().id(), id);
  EXPECT_EQ(queue_.TryTake({}), nullptr) << "the other ended with its stream";
}

TEST_F(KeptJobsTest, AStreamsJobThatCameToNothingIsNotKept) {
  v1::GenerateRequest request;
  request.set_request_id(kRequestId);
  request.set_on_disconnect(v1::ON_DISCONNECT_CONTINUE);
  {
    const auto archive = OpenArchive();
    JobIntake intake{
        {}, {queue_, catalog_, metrics_, clock_, quotas_}, *archive};
    const auto reader =
        intake.Submit(request, {.tenant = "t"}, absl::InfiniteFuture(),
                      {.event = [] {}, .given_up = [] {}});
    ASSERT_THAT(reader, IsOk());
    queue_.Take({})->End(EndedBy(JobCancelledError()));
  }
  EXPECT_TRUE(OpenArchive()->TakeUnfinished().empty());
}

}  // namespace
}  // namespace genzo
