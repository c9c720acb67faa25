// The Jobs service over a socket; the test is the worker.

#include <algorithm>
#include <filesystem>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "server/jobs/result_store.h"
#include "tests/testing/front_end_rig.h"
#include "tests/testing/full_disk.h"
#include "tests/testing/matchers.h"
#include "tests/testing/request_ids.h"
#include "tests/testing/test_folder.h"

namespace genzo {
namespace {

class JobsTest : public ::testing::Test {
 protected:
  JobsTest() { Start({}); }

  void Start(const FrontEndOptions& options, int capacity = 16) {
    rig_.reset();
    rig_ = std::make_unique<FrontEndRig>(options, capacity);
    ASSERT_THAT(rig_->started(), IsOk());
    stub_ = v1::Jobs::NewStub(rig_->Channel());
  }

  // Of servers that follow one another.
  FrontEndOptions Kept() const {
    return {.jobs = {.results_folder = folder_.path() + "/results"}};
  }

  // Each names its tenant in the metadata.
  static std::unique_ptr<grpc::ClientContext> As(const std::string& tenant) {
    auto context = std::make_unique<grpc::ClientContext>();
    context->AddMetadata("x-genzo-tenant", tenant);
    return context;
  }

  v1::Job Create(const v1::CreateJobRequest& request) {
    v1::Job job;
    status_ = stub_->CreateJob(As("t").get(), request, &job);
    return job;
  }
  v1::Job Create(const std::string& request_id = "") {
    v1::CreateJobRequest request;
    request.mutable_request()->set_prompt("a boat");
    request.mutable_request()->set_request_id(request_id);
    return Create(request);
  }
  v1::Job Get(const std::string& id, const std::string& tenant = "t") {
    v1::GetJobRequest request;
    request.set_id(id);
    v1::Job job;
    status_ = stub_->GetJob(As(tenant).get(), request, &job);
    return job;
  }
  std::vector<v1::JobEvent> Watch(const std::string& id, uint64_t after = 0,
                                  const std::string& tenant = "t") {
    v1::WatchJobRequest request;
    request.set_id(id);
    request.set_after_sequence(after);
    const auto context = As(tenant);
    const auto stream = stub_->WatchJob(context.get(), request);
    std::vector<v1::JobEvent> events;
    v1::JobEvent event;
    while (stream->Read(&event)) events.push_back(event);
    status_ = stream->Finish();
    return events;
  }
  void PaintOne() { FrontEndRig::Paint(*rig_->queue().Take({})); }
  // Of a server that stops before the first job's end.
  void BeginOne() {
    v1::JobEvent event;
    event.mutable_started();
    rig_->queue().Take({})->Post(event);
  }
  // The server dies as far as the next one, which starts, can tell.
  void Die(const FrontEndOptions& options) {
    rig_.reset();
    ASSERT_TRUE(std::filesystem::remove(options.jobs.results_folder + "/" +
                                        ResultStore::kCleanEnd));
    Start(options);
  }

  const TestFolder folder_;
  std::unique_ptr<FrontEndRig> rig_;
  std::unique_ptr<v1::Jobs::Stub> stub_;
  grpc::Status status_;
};

TEST_F(JobsTest, AJobIsPaintedThoughNobodyWaits) {
  const v1::Job created = Create();
  ASSERT_TRUE(status_.ok()) << status_.error_message();
  EXPECT_EQ(created.state(), v1::JOB_STATE_QUEUED);
  EXPECT_EQ(created.resolved().prompt(), "a boat");
  EXPECT_EQ(created.id().size(), 32u);
  PaintOne();
  const v1::Job job = Get(created.id());
  EXPECT_EQ(job.state(), v1::JOB_STATE_SUCCEEDED);
  EXPECT_EQ(job.images_done(), 1);
  const auto events = Watch(created.id());
  EXPECT_TRUE(status_.ok());
  ASSERT_EQ(events.size(), 4u);
  EXPECT_TRUE(events[0].has_queued());
  EXPECT_TRUE(events[1].has_started());
  EXPECT_EQ(events[2].image().picture().data(), "picture");
  EXPECT_TRUE(events[3].has_ended());
}

TEST_F(JobsTest, WatchingGoesOnWhereItStopped) {
  const std::string id = Create().id();
  PaintOne();
  const auto all = Watch(id);
  const auto rest = Watch(id, all[1].sequence());
  ASSERT_EQ(rest.size(), 2u);
  EXPECT_EQ(rest[0].sequence(), all[2].sequence());
  // The end is told again, so that no watcher waits for it.
  EXPECT_EQ(Watch(id, all[3].sequence()).size(), 1u);
  EXPECT_EQ(Watch(id, 1'000'000).size(), 1u);
}

TEST_F(JobsTest, AWatcherThatLeavesChangesNothing) {
  const std::string id = Create().id();
  {
    v1::WatchJobRequest request;
    request.set_id(id);
    const auto context = As("t");
    const auto stream = stub_->WatchJob(context.get(), request);
    v1::JobEvent event;
    ASSERT_TRUE(stream->Read(&event));
    context->TryCancel();
    stream->Finish();
  }
  const auto lease = rig_->queue().Take({});
  EXPECT_FALSE(lease->cancelled());
  FrontEndRig::Paint(*lease);
  EXPECT_EQ(Get(id).state(), v1::JOB_STATE_SUCCEEDED);
}

TEST_F(JobsTest, AFailedJobIsKeptToo) {
  const std::string id = Create().id();
  rig_->queue().Take({})->Fail(
      ErrorWithReason(absl::StatusCode::kInternal, "NOT_FINITE", "it is not"));
  const v1::Job job = Get(id);
  EXPECT_EQ(job.state(), v1::JOB_STATE_FAILED);
  EXPECT_EQ(ErrorReason(FromRpcStatus(job.status())), "NOT_FINITE");
  EXPECT_EQ(Watch(id).back().ended().state(), v1::JOB_STATE_FAILED);
  EXPECT_TRUE(status_.ok());
}

TEST_F(JobsTest, UnknownExpiredAndRunningAreDifferentAnswers) {
  const std::string id = Create().id();
  PaintOne();
  Get("0123");
  EXPECT_EQ(ReasonOf(status_), "JOB_UNKNOWN");
  Watch("0123");
  EXPECT_EQ(ReasonOf(status_), "JOB_UNKNOWN");
  Get(id, "another");
  EXPECT_EQ(ReasonOf(status_), "JOB_UNKNOWN");
  Watch(id, 0, "another");
  EXPECT_EQ(ReasonOf(status_), "JOB_UNKNOWN");
  Get("");
  EXPECT_EQ(ReasonOf(status_), "INVALID_FIELD");
  rig_->clock().Advance(absl::Hours(25));
  rig_->front_end().Sweep();
  Get(id);
  EXPECT_EQ(ReasonOf(status_), "JOB_EXPIRED");
  Watch(id);
  EXPECT_EQ(ReasonOf(status_), "JOB_EXPIRED");
}

TEST_F(JobsTest, CancelEndsAJob) {
  const std::string id = Create().id();
  v1::CancelJobRequest request;
  request.set_id(id);
  v1::Job job;
  EXPECT_FALSE(stub_->CancelJob(As("another").get(), request, &job).ok());
  ASSERT_TRUE(stub_->CancelJob(As("t").get(), request, &job).ok());
  EXPECT_EQ(job.state(), v1::JOB_STATE_CANCELLED);
  ASSERT_TRUE(stub_->CancelJob(As("t").get(), request, &job).ok());
  EXPECT_EQ(Watch(id).back().ended().state(), v1::JOB_STATE_CANCELLED);
}

TEST_F(JobsTest, ARequestIdMakesOneJobThroughEitherDoor) {
  const std::string id = Create(kRequestId).id();
  EXPECT_EQ(Create(kRequestId).id(), id);
  EXPECT_EQ(Create(absl::AsciiStrToUpper(kRequestId)).id(), id)
      << "RFC 9562: the same UUID";
  PaintOne();
  EXPECT_EQ(Create(kRequestId).id(), id);
  const auto context = As("t");
  v1::GenerateRequest same;
  same.set_prompt("a boat");
  same.set_request_id(kRequestId);
  const auto stream = v1::ImageGeneration::NewStub(rig_->Channel())
                          ->Generate(context.get(), same);
  v1::JobEvent event;
  ASSERT_TRUE(stream->Read(&event));
  EXPECT_EQ(event.job_id(), id);
  while (stream->Read(&event)) {
  }
  EXPECT_TRUE(stream->Finish().ok());
  v1::CreateJobRequest other;
  other.mutable_request()->set_prompt("a tree");
  other.mutable_request()->set_request_id(kRequestId);
  Create(other);
  EXPECT_EQ(ReasonOf(status_), "REQUEST_ID_IN_USE");
}

TEST_F(JobsTest, EveryAnswerAboutAJobTellsItsTrace) {
  constexpr char kTrace[] = "4bf92f3577b34da6a3ce929d0e0e4736";
  v1::Job job;
  const auto trace = [&](const auto& call) {
    const auto context = As("t");
    context->AddMetadata("traceparent",
                         absl::StrCat("00-", kTrace, "-00f067aa0ba902b7-01"));
    EXPECT_TRUE(call(context.get()).ok());
    const auto& told = context->GetServerInitialMetadata();
    const auto found = told.find("traceparent");
    return found == told.end() ? std::string()
                               : std::string(found->second.data() + 3, 32);
  };
  v1::CreateJobRequest create;
  create.mutable_request()->set_prompt("a boat");
  EXPECT_EQ(trace([&](auto* context) {
              return stub_->CreateJob(context, create, &job);
            }),
            kTrace);
  v1::GetJobRequest get;
  get.set_id(job.id());
  EXPECT_EQ(
      trace([&](auto* context) { return stub_->GetJob(context, get, &job); }),
      kTrace);
  v1::CancelJobRequest cancel;
  cancel.set_id(job.id());
  EXPECT_EQ(trace([&](auto* context) {
              return stub_->CancelJob(context, cancel, &job);
            }),
            kTrace);
}

TEST_F(JobsTest, ARequestThatTellsAnotherOfItsEndIsAnother) {
  FrontEndOptions options;
  options.webhooks.hosts = {"a.org:443", "b.org:443"};
  options.webhooks.secret_file =
      folder_.Write("secret", "a secret of the webhooks");
  Start(options);
  const auto told = [this](const std::string& url) {
    v1::CreateJobRequest request;
    request.mutable_request()->set_prompt("a boat");
    request.mutable_request()->set_request_id(kRequestId);
    if (!url.empty()) request.mutable_webhook()->set_url(url);
    return Create(request).id();
  };
  const std::string id = told("https://a.org/x");
  ASSERT_TRUE(status_.ok()) << status_.error_message();
  EXPECT_EQ(told("https://a.org/x"), id);
  for (const char* url : {"https://b.org/x", "https://a.org/y", ""}) {
    told(url);
    EXPECT_EQ(ReasonOf(status_), "REQUEST_ID_IN_USE") << url;
  }
}

TEST_F(JobsTest, ValidateOnlyMakesNoJob) {
  v1::CreateJobRequest request;
  request.set_validate_only(true);
  request.mutable_request()->set_width(512);
  request.mutable_request()->set_height(512);
  request.mutable_request()->set_steps(20);
  const v1::Job job = Create(request);
  ASSERT_TRUE(status_.ok()) << status_.error_message();
  EXPECT_EQ(job.id(), "");
  EXPECT_EQ(job.cost(), 2 * 0.25 * 20);
  EXPECT_EQ(job.time_left().seconds(), 3);
  EXPECT_EQ(rig_->queue().TryTake({}), nullptr);
  request.mutable_request()->set_width(511);
  Create(request);
  EXPECT_EQ(ReasonOf(status_), "INVALID_FIELD");
  Create(v1::CreateJobRequest());
  EXPECT_EQ(ReasonOf(status_), "INVALID_FIELD");
}

TEST_F(JobsTest, ListsTheTenantsJobs) {
  Create();
  const std::string newest = Create().id();
  v1::ListJobsRequest request;
  v1::ListJobsResponse page;
  ASSERT_TRUE(stub_->ListJobs(As("t").get(), request, &page).ok());
  EXPECT_EQ(page.jobs_size(), 2);
  ASSERT_TRUE(stub_->ListJobs(As("another").get(), request, &page).ok());
  EXPECT_EQ(page.jobs_size(), 0);
}

TEST_F(JobsTest, JobsGoOnInTheNextServer) {
  const FrontEndOptions options = Kept();
  Start(options);
  const std::string done = Create().id();
  PaintOne();
  const std::string waiting = Create(kRequestId).id();
  // As many as a longer walk had before a server ended as it should.
  const uint64_t seen = Get(waiting).last_sequence() + 50;
  Start(options);
  EXPECT_EQ(Get(done).state(), v1::JOB_STATE_SUCCEEDED);
  EXPECT_EQ(Watch(done).size(), 4u);
  EXPECT_EQ(Get(waiting).state(), v1::JOB_STATE_QUEUED);
  EXPECT_EQ(Create(kRequestId).id(), waiting);
  PaintOne();
  const auto events = Watch(waiting, seen);
  ASSERT_FALSE(events.empty());
  EXPECT_GT(events[0].sequence(), seen);
  EXPECT_EQ(std::count_if(events.begin(), events.end(),
                          [](const auto& event) { return event.has_image(); }),
            1);
  EXPECT_TRUE(events.back().has_ended());
}

TEST_F(JobsTest, AJobThatCannotBeKeptIsNone) {
  Start(Kept());
  {
    const FullDisk full;
    Create(kRequestId);
    EXPECT_EQ(status_.error_code(), grpc::StatusCode::UNAVAILABLE);
    EXPECT_EQ(ReasonOf(status_), "NOT_KEPT");
    EXPECT_GT(RetryAfter(DetailsOf(status_)), absl::ZeroDuration());
    v1::ListJobsResponse page;
    ASSERT_TRUE(stub_->ListJobs(As("t").get(), {}, &page).ok());
    EXPECT_EQ(page.jobs_size(), 0);
    EXPECT_EQ(rig_->queue().TryTake({}), nullptr);
  }
  // With room again the same request makes a job.
  const std::string id = Create(kRequestId).id();
  ASSERT_TRUE(status_.ok()) << status_.error_message();
  PaintOne();
  EXPECT_EQ(Watch(id).size(), 4u);
}

TEST_F(JobsTest, WhatWasAcceptedGoesOnInItsOrderThoughTheQueueIsFull) {
  const FrontEndOptions options = Kept();
  Start(options);
  std::vector<std::string> ids;
  for (int i = 0; i < 8; ++i) {
    ids.push_back(Create().id());
    rig_->clock().Advance(absl::Milliseconds(1));
  }
  Start(options, /*capacity=*/2);
  Create();
  EXPECT_EQ(ReasonOf(status_), "QUEUE_FULL") << "new ones wait for room";
  for (const std::string& id : ids) {
    EXPECT_EQ(Get(id).state(), v1::JOB_STATE_QUEUED);
    const auto lease = rig_->queue().TryTake({});
    ASSERT_NE(lease, nullptr);
    EXPECT_EQ(lease->job().id(), id);
    FrontEndRig::Paint(*lease);
  }
}

TEST_F(JobsTest, TheResultCacheHasAFolderOfItsOwn) {
  FrontEndOptions options = Kept();
  options.result_cache = {.bytes = 1, .folder = folder_.path() + "/./results"};
  rig_.reset();
  EXPECT_THAT(
      FrontEndRig(options, /*capacity=*/1).started(),
      StatusIs(absl::StatusCode::kInvalidArgument, "give each its own"));
}

TEST_F(JobsTest, AJobThatServersDieUnderIsGivenUp) {
  const FrontEndOptions options = Kept();
  Start(options);
  const std::string id = Create().id();
  for (uint32_t i = 0; i <= JobArchive::kMostRestarts; ++i) {
    EXPECT_EQ(Get(id).state(), v1::JOB_STATE_QUEUED);
    BeginOne();
    Die(options);
  }
  const v1::Job job = Get(id);
  EXPECT_EQ(job.state(), v1::JOB_STATE_FAILED);
  EXPECT_EQ(ErrorReason(FromRpcStatus(job.status())), "JOB_LOST");
  EXPECT_TRUE(Watch(id).back().has_ended());
}

TEST_F(JobsTest, NoJobIsGivenUpThatServersDidNotDieUnder) {
  const FrontEndOptions options = Kept();
  Start(options);
  const std::string id = Create().id();
  for (uint32_t i = 0; i <= JobArchive::kMostRestarts; ++i) {
    Die(options);  // it has not begun
    BeginOne();
    Start(options);  // the one before stopped in good order
  }
  EXPECT_EQ(Get(id).state(), v1::JOB_STATE_QUEUED);
  PaintOne();
  EXPECT_EQ(Get(id).state(), v1::JOB_STATE_SUCCEEDED);
}

TEST_F(JobsTest, AServerThatStopsDoesNotEndAJobForItsWatchers) {
  const std::string id = Create().id();
  v1::WatchJobRequest request;
  request.set_id(id);
  const auto context = As("t");
  const auto stream = stub_->WatchJob(context.get(), request);
  v1::JobEvent event;
  ASSERT_TRUE(stream->Read(&event));
  rig_->queue().CancelAll();
  while (stream->Read(&event)) EXPECT_FALSE(event.has_ended());
  EXPECT_EQ(ReasonOf(stream->Finish()), "DRAINING");
}

}  // namespace
}  // namespace genzo
