#include "server/jobs/job_book.h"

#include "absl/strings/escaping.h"
#include "base/errors.h"
#include "base/utf8.h"
#include "queue/job_end.h"
#include "server/rpc/pages.h"
#include "tests/testing/fake_clock.h"
#include "tests/testing/matchers.h"
#include "tests/testing/request_ids.h"

namespace genzo {
namespace {

using ::testing::HasSubstr;

class JobBookTest : public ::testing::Test {
 protected:
  void Add(const std::string& id, const std::string& tenant = "t",
           const std::string& request_id = "") {
    internal::v1::KeptJob job;
    job.set_tenant(tenant);
    job.set_digest("digest of " + id);
    job.mutable_job()->set_id(id);
    job.mutable_job()->set_request_id(request_id);
    job.mutable_job()->set_steps_total(14);
    job.mutable_job()->mutable_resolved()->set_image_count(2);
    book_.Add(job);
    clock_.Advance(absl::Seconds(1));
  }

  void Post(const std::string& id, v1::JobEvent event) {
    event.set_sequence(++sequence_);
    book_.Posted(id, event);
  }

  void PostImage(const std::string& id) {
    v1::JobEvent event;
    event.mutable_image();
    Post(id, event);
  }

  void PostProgress(const std::string& id, int image, int step) {
    v1::JobEvent event;
    event.mutable_progress()->set_image_index(image);
    event.mutable_progress()->set_step(step);
    event.mutable_progress()->set_steps(10);
    Post(id, event);
  }

  void PostEnd(const std::string& id,
               const absl::Status& status = absl::OkStatus()) {
    v1::JobEvent event;
    *event.mutable_ended() = EndedBy(status);
    Post(id, event);
  }

  std::string ReasonOf(const std::string& id) {
    return ErrorReason(book_.Get("t", id).status());
  }

  std::vector<std::string> Ids(const v1::ListJobsResponse& page) {
    std::vector<std::string> ids;
    for (const v1::Job& job : page.jobs()) ids.push_back(job.id());
    return ids;
  }

  FakeClock clock_;
  std::vector<v1::JobState> moved_;
  JobBook book_{/*most_jobs=*/4,
                /*results_kept=*/absl::Hours(1),
                clock_,
                {.moved = [this](const internal::v1::KeptJob& job) {
                  moved_.push_back(job.job().state());
                }}};
  uint64_t sequence_ = 0;
};

TEST_F(JobBookTest, FollowsAJobFromItsEvents) {
  Add("a");
  v1::JobEvent queued;
  queued.mutable_queued()->set_position(3);
  Post("a", queued);
  EXPECT_EQ(book_.Get("t", "a")->job().state(), v1::JOB_STATE_QUEUED);
  EXPECT_EQ(book_.Get("t", "a")->job().position(), 3);
  v1::JobEvent started;
  started.mutable_started();
  Post("a", started);
  // Of 10 steps, an image-to-image walk begins behind the third.
  PostProgress("a", 0, 4);
  PostProgress("a", 0, 5);
  PostProgress("a", 1, 4);
  PostImage("a");
  v1::Job job = book_.Get("t", "a")->job();
  EXPECT_EQ(job.state(), v1::JOB_STATE_RUNNING);
  EXPECT_EQ(job.position(), 0);
  EXPECT_EQ(job.steps_done(), 3);
  EXPECT_EQ(job.images_done(), 1);
  EXPECT_EQ(job.last_sequence(), 6);
  EXPECT_FALSE(job.has_expire_time());
  PostEnd("a");
  job = book_.Get("t", "a")->job();
  EXPECT_EQ(job.state(), v1::JOB_STATE_SUCCEEDED);
  EXPECT_EQ(job.expire_time().seconds() - job.end_time().seconds(), 3600);
  EXPECT_EQ(moved_, (std::vector<v1::JobState>{v1::JOB_STATE_RUNNING,
                                               v1::JOB_STATE_SUCCEEDED}));
}

TEST_F(JobBookTest, TellsExpiredFromUnknownForADay) {
  EXPECT_EQ(ReasonOf("a"), "JOB_UNKNOWN");
  Add("a");
  PostEnd("a");
  EXPECT_EQ(ReasonOf("a"), "");
  book_.Forgotten("a");
  EXPECT_EQ(ReasonOf("a"), "JOB_EXPIRED");
  clock_.Advance(absl::Hours(23));
  book_.Sweep();
  EXPECT_EQ(ReasonOf("a"), "JOB_EXPIRED");
  clock_.Advance(absl::Hours(1));
  book_.Sweep();
  EXPECT_EQ(ReasonOf("a"), "JOB_UNKNOWN");
}

TEST_F(JobBookTest, LetsResultsGoWhenTheirTimeIsOver) {
  Add("a");
  Add("b");
  PostEnd("a");
  clock_.Advance(absl::Minutes(59));
  EXPECT_TRUE(book_.Sweep().empty());
  clock_.Advance(absl::Minutes(1));
  EXPECT_EQ(book_.Sweep(), std::vector<std::string>{"a"});
}

TEST_F(JobBookTest, AnothersJobIsUnknown) {
  Add("a", "other");
  EXPECT_EQ(ReasonOf("a"), "JOB_UNKNOWN");
  EXPECT_EQ(Ids(*book_.List("t", {})), std::vector<std::string>{});
}

TEST_F(JobBookTest, ListsTheNewestFirstInPages) {
  for (const char* id : {"a", "b", "c", "d"}) Add(id);
  PostEnd("c");
  v1::ListJobsRequest request;
  request.set_page_size(2);
  auto page = *book_.List("t", request);
  EXPECT_EQ(Ids(page), (std::vector<std::string>{"d", "c"}));
  // One that comes meanwhile moves nothing.
  Add("e");
  request.set_page_token(page.next_page_token());
  page = *book_.List("t", request);
  EXPECT_EQ(Ids(page), (std::vector<std::string>{"b", "a"}));
  EXPECT_EQ(page.next_page_token(), "");
  request.clear_page_token();
  request.add_states(v1::JOB_STATE_SUCCEEDED);
  EXPECT_EQ(Ids(*book_.List("t", request)), std::vector<std::string>{"c"});
}

TEST_F(JobBookTest, RefusesStrangeStates) {
  const auto listed = [&](std::vector<int> states) {
    v1::ListJobsRequest request;
    request.mutable_states()->Assign(states.begin(), states.end());
    return book_.List("t", request);
  };
  EXPECT_THAT(listed({1, 5, 5}), IsOk());
  EXPECT_THAT(listed({99}), StatusIs(absl::StatusCode::kInvalidArgument,
                                     "states 99 is not one of its values"));
  EXPECT_THAT(listed({0}),
              StatusIs(absl::StatusCode::kInvalidArgument, "states 0"));
  EXPECT_THAT(listed(std::vector<int>(17, 1)),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       "states has 17 entries, the limit is 16"));
}

// What is quoted may be cut within a character.
TEST_F(JobBookTest, AnUnknownIdIsShownAsText) {
  std::string id;
  for (int i = 0; i < 30; ++i) id += "\u3042";
  EXPECT_TRUE(IsUtf8(book_.Get("t", id).status().message()));
}

TEST_F(JobBookTest, RefusesStrangePages) {
  v1::ListJobsRequest request;
  request.set_page_size(-1);
  EXPECT_THAT(book_.List("t", request),
              StatusIs(absl::StatusCode::kInvalidArgument, "page_size -1"));
  request.set_page_size(0);
  for (const std::string& token :
       {std::string("!"), std::string("x"), absl::WebSafeBase64Escape("1.a"),
        PageToken("1"), PageToken("1."), PageToken(".1"), PageToken("x.1")}) {
    request.set_page_token(token);
    EXPECT_THAT(book_.List("t", request),
                StatusIs(absl::StatusCode::kInvalidArgument, "next_page_token"))
        << token;
  }
}

TEST_F(JobBookTest, ARequestIdStandsForADayOrUntilAnEndWithoutAnImage) {
  Add("a", "t", kRequestId);
  EXPECT_EQ(book_.ByRequest("t", kRequestId)->job_id, "a");
  EXPECT_EQ(book_.ByRequest("t", kRequestId)->digest, "digest of a");
  EXPECT_FALSE(book_.ByRequest("other", kRequestId).has_value());
  PostEnd("a", absl::InternalError("x"));
  EXPECT_FALSE(book_.ByRequest("t", kRequestId).has_value());
  Add("b", "t", kRequestId);
  PostImage("b");
  PostEnd("b");
  book_.Forgotten("b");
  EXPECT_EQ(book_.ByRequest("t", kRequestId)->job_id, "b");
  clock_.Advance(absl::Hours(24));
  book_.Sweep();
  EXPECT_FALSE(book_.ByRequest("t", kRequestId).has_value());
}

// As a machine's does that was off by a day and is put right.
TEST_F(JobBookTest, ADateThatJumpsEndsNothing) {
  Add("a", "t", kRequestId);
  PostImage("a");
  PostEnd("a");
  for (const absl::Duration jump : {absl::Hours(30), -absl::Hours(90)}) {
    clock_.SetDateForward(jump);
    EXPECT_TRUE(book_.Sweep().empty());
    EXPECT_EQ(ReasonOf("a"), "");
    EXPECT_EQ(book_.ByRequest("t", kRequestId)->job_id, "a");
  }
  clock_.Advance(absl::Hours(2));
  EXPECT_EQ(book_.Sweep(), (std::vector<std::string>{"a"}));
}

TEST_F(JobBookTest, BeyondItsBoundTheFirstThatEndedLeave) {
  for (const char* id : {"a", "b", "c", "d", "e", "f"}) Add(id);
  for (const char* id : {"c", "b", "d"}) {
    PostEnd(id);
    clock_.Advance(absl::Seconds(1));
  }
  EXPECT_EQ(book_.Sweep(), (std::vector<std::string>{"c", "b"}));
  EXPECT_EQ(ReasonOf("c"), "JOB_EXPIRED");
  EXPECT_EQ(ReasonOf("d"), "");
  EXPECT_EQ(ReasonOf("a"), "");
}

TEST_F(JobBookTest, TheRequestIdOfOneThatLeftStandsForADay) {
  Add("a", "t", kRequestId);
  PostImage("a");
  PostEnd("a");
  for (const char* id : {"b", "c", "d", "e"}) Add(id);
  EXPECT_EQ(book_.Sweep(), (std::vector<std::string>{"a"}));
  EXPECT_EQ(ReasonOf("a"), "JOB_EXPIRED");
  EXPECT_EQ(book_.ByRequest("t", kRequestId)->digest, "digest of a");
  EXPECT_THAT(book_.Get("other", "a").status().message(), HasSubstr("known"));
  clock_.Advance(absl::Hours(24));
  book_.Sweep();
  EXPECT_FALSE(book_.ByRequest("t", kRequestId).has_value());
  EXPECT_EQ(ReasonOf("a"), "JOB_UNKNOWN");
}

}  // namespace
}  // namespace genzo
