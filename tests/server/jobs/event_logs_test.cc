#include "server/jobs/event_logs.h"

#include "base/errors.h"
#include "base/logging.h"
#include "nlohmann/json.hpp"
#include "queue/job_end.h"
#include "tests/testing/fake_clock.h"
#include "tests/testing/matchers.h"
#include "tests/testing/request_ids.h"

namespace genzo {
namespace {

using v1::JobEvent;

JobEvent Preview(int image_index, int step, size_t bytes = 1) {
  JobEvent event;
  event.mutable_preview()->set_image_index(image_index);
  event.mutable_preview()->set_step(step);
  event.mutable_preview()->mutable_picture()->set_data(std::string(bytes, 'p'));
  return event;
}

JobEvent Image(int image_index, size_t bytes = 1) {
  JobEvent event;
  event.mutable_image()->set_image_index(image_index);
  event.mutable_image()->mutable_picture()->set_data(std::string(bytes, 'i'));
  return event;
}

JobEvent End(const absl::Status& status = absl::OkStatus()) {
  JobEvent event;
  *event.mutable_ended() = EndedBy(status);
  return event;
}

class RecordingListener : public JobListener {
 public:
  void Posted(const std::string&, const JobEvent&) override {}
  void Ended(const std::string& job_id, const std::vector<EventRef>&) override {
    ended.push_back(job_id);
  }
  void Forgotten(const std::string& job_id) override {
    forgotten.push_back(job_id);
  }

  std::vector<std::string> ended, forgotten;
};

class EventLogsTest : public ::testing::Test {
 protected:
  // A reader of the job `id`, which is filed by this.
  std::unique_ptr<EventReader> Open(const std::string& id,
                                    const JobFile& rest = {}) {
    JobFile file = rest;
    file.job_id = id;
    auto opened = logs_.Open(file, {.event = [this] { ++heard_; },
                                    .given_up = [this] { ++given_up_; }});
    status_ = opened.status();
    if (!opened.ok()) return nullptr;
    is_new_ = opened->is_new;
    return std::move(opened->reader);
  }

  void Post(const std::string& id, JobEvent event) {
    event.set_job_id(id);
    event.set_sequence(++sequence_);
    logs_.SinkOf(id)->Post(std::move(event));
  }

  // What a reader would be given: "preview 0", "image 1", "ended".
  static std::vector<std::string> Rest(EventReader& reader) {
    std::vector<std::string> events;
    while (const auto event = reader.Next()) {
      if (event->has_preview()) {
        events.push_back(absl::StrCat("preview ", event->preview().step()));
      } else if (event->has_image()) {
        events.push_back(absl::StrCat("image ", event->image().image_index()));
      } else if (event->has_ended()) {
        const absl::Status status = StatusOf(event->ended());
        events.push_back(status.ok() ? "ended" : ErrorReason(status));
      }
    }
    return events;
  }

  double held() { return metrics_.undelivered_bytes().Value(); }

  FakeClock clock_;
  Metrics metrics_;
  std::vector<std::string> cancelled_;
  int heard_ = 0;
  int given_up_ = 0;
  RecordingListener listener_;
  EventLogs logs_{{.max_streams = 8,
                   .job_bytes = 100,
                   .tenant_bytes = 150,
                   .process_bytes = 200,
                   .reader_timeout = absl::Seconds(60),
                   .results_kept = absl::Seconds(30)},
                  [this](const std::string& id) { cancelled_.push_back(id); },
                  clock_,
                  metrics_,
                  &listener_};
  absl::Status status_;
  bool is_new_ = false;
  uint64_t sequence_ = 0;
};

TEST_F(EventLogsTest, GivesEventsInOrderAndTellsOfEach) {
  auto reader = Open("a");
  Post("a", Preview(0, 1));
  Post("a", Image(0));
  Post("a", End());
  EXPECT_EQ(heard_, 3);
  EXPECT_THAT(Rest(*reader),
              ::testing::ElementsAre("preview 1", "image 0", "ended"));
}

TEST_F(EventLogsTest, LogsALineWhenAJobEnds) {
  ASSERT_THAT(InitLogging("info", "json"), IsOk());
  ::testing::internal::CaptureStderr();
  auto reader = Open("a", {.tenant = "t"});
  Post("a", Image(0));
  clock_.Advance(absl::Milliseconds(1500));
  Post("a", End(absl::CancelledError("enough")));
  const std::string line = ::testing::internal::GetCapturedStderr();
  ASSERT_THAT(InitLogging("info"), IsOk());
  EXPECT_EQ(line.find('\n'), line.size() - 1) << line;
  const auto told = nlohmann::json::parse(line);
  EXPECT_EQ(told["msg"], "job ended");
  EXPECT_EQ(told["job"], "a");
  EXPECT_EQ(told["tenant"], "t");
  EXPECT_EQ(told["state"], "JOB_STATE_CANCELLED");
  EXPECT_EQ(told["seconds"], 1.5);
  EXPECT_EQ(told["images"], 1);
}

TEST_F(EventLogsTest, KeepsTheLatestPreviewOfEachImage) {
  auto reader = Open("a");
  Post("a", Preview(0, 1));
  Post("a", Preview(1, 5));
  Post("a", Preview(0, 2));
  EXPECT_THAT(Rest(*reader), ::testing::ElementsAre("preview 5", "preview 2"));
  EXPECT_EQ(metrics_.previews_dropped().Value(), 1);
}

TEST_F(EventLogsTest, NeverLosesAnImage) {
  auto reader = Open("a");
  for (int i = 0; i < 3; ++i) {
    for (int step = 0; step < 100; ++step) Post("a", Preview(i, step));
    Post("a", Image(i));
  }
  EXPECT_EQ(Rest(*reader).size(), 6u);
}

TEST_F(EventLogsTest, AReaderThatKeepsUpIsNotEndedByWhatWouldBeKept) {
  auto reader = Open("a", {.tenant = "t", .request_id = kRequestId});
  for (int i = 0; i < 3; ++i) {
    Post("a", Image(i, 60));
    EXPECT_THAT(Rest(*reader),
                ::testing::ElementsAre(absl::StrCat("image ", i)));
  }
  Post("a", End());
  EXPECT_THAT(Rest(*reader), ::testing::ElementsAre("ended"));
  EXPECT_TRUE(cancelled_.empty());
}

TEST_F(EventLogsTest, AnEventThatIsBeingDeliveredIsCountedUntilItIs) {
  auto reader = Open("a");
  Post("a", Image(0, 40));
  EXPECT_EQ(held(), 40);
  ASSERT_NE(reader->Next(), nullptr);
  EXPECT_EQ(held(), 40) << "on its way";
  EXPECT_EQ(reader->Next(), nullptr);
  EXPECT_EQ(held(), 0);
}

TEST_F(EventLogsTest, IgnoresEventsAfterTheLast) {
  auto reader = Open("a");
  Post("a", End(absl::InternalError("no")));
  Post("a", Image(0));
  EXPECT_THAT(Rest(*reader), ::testing::ElementsAre("INTERNAL"));
}

TEST_F(EventLogsTest, CancelsAJobThatItsReaderLeft) {
  Open("a").reset();
  EXPECT_THAT(cancelled_, ::testing::ElementsAre("a"));
  Post("a", Image(0, 50));
  Post("a", End(absl::CancelledError("gone")));
  EXPECT_EQ(held(), 0) << "nobody comes for it";
}

TEST_F(EventLogsTest, AJobThatGoesOnIsPickedUp) {
  const JobFile file = {
      .request_id = kRequestId, .digest = "d", .goes_on = true};
  Open("a", file).reset();
  EXPECT_TRUE(cancelled_.empty());
  Post("a", Preview(0, 1));
  Post("a", Image(0));
  auto again = Open("b", file);
  ASSERT_NE(again, nullptr);
  EXPECT_FALSE(is_new_);
  EXPECT_EQ(again->job_id(), "a");
  Post("a", End());
  EXPECT_THAT(Rest(*again),
              ::testing::ElementsAre("preview 1", "image 0", "ended"));
}

TEST_F(EventLogsTest, ReplaysAnEndedJobForAStatedTime) {
  const JobFile file = {.request_id = kRequestId, .digest = "d"};
  auto first = Open("a", file);
  Post("a", Image(0));
  Post("a", End());
  EXPECT_EQ(Rest(*first).size(), 2u);
  first.reset();
  EXPECT_TRUE(cancelled_.empty()) << "it had ended";
  clock_.Advance(absl::Seconds(29));
  logs_.Sweep();
  auto second = Open("b", file);
  EXPECT_FALSE(is_new_);
  EXPECT_THAT(Rest(*second), ::testing::ElementsAre("image 0", "ended"));
  second.reset();
  clock_.Advance(absl::Seconds(1));
  logs_.Sweep();
  EXPECT_EQ(held(), 0);
  Open("c", file);
  EXPECT_TRUE(is_new_) << "it was forgotten";
}

TEST_F(EventLogsTest, AJobWithoutAnImageIsPaintedAgain) {
  const JobFile file = {.request_id = kRequestId, .digest = "d"};
  auto first = Open("a", file);
  Post("a", End(absl::UnavailableError("draining")));
  Open("b", file);
  EXPECT_TRUE(is_new_);
}

TEST_F(EventLogsTest, RefusesTheIdOfAnotherRequest) {
  auto first = Open("a", {.request_id = kRequestId, .digest = "d"});
  EXPECT_EQ(Open("b", {.request_id = kRequestId, .digest = "e"}), nullptr);
  EXPECT_EQ(ErrorReason(status_), "REQUEST_ID_IN_USE");
  EXPECT_THAT(status_, StatusIs(absl::StatusCode::kAlreadyExists,
                                std::string("request_id ") + kRequestId));
  auto other =
      Open("c", {.tenant = "t", .request_id = kRequestId, .digest = "e"});
  EXPECT_TRUE(is_new_) << "ids are a tenant's own";
}

TEST_F(EventLogsTest, CapsStreams) {
  std::vector<std::unique_ptr<EventReader>> readers;
  for (const char* tenant : {"a", "b", "c", "d", "e", "f", "g", "h"}) {
    readers.push_back(Open(tenant, {.tenant = tenant}));
    ASSERT_NE(readers.back(), nullptr);
  }
  EXPECT_EQ(metrics_.streams().Value(), 8);
  EXPECT_EQ(Open("i", {.tenant = "i"}), nullptr);
  EXPECT_EQ(ErrorReason(status_), "TOO_MANY_STREAMS");
  EXPECT_EQ(status_.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_GT(RetryAfter(status_), absl::ZeroDuration());
  readers.pop_back();
  EXPECT_NE(Open("i", {.tenant = "i"}), nullptr);
}

TEST_F(EventLogsTest, KeepsTheLastStreamsForTenantsThatHaveFew) {
  std::vector<std::unique_ptr<EventReader>> greedy;
  for (int i = 0; i < 7; ++i) {
    greedy.push_back(Open(absl::StrCat("a", i), {.tenant = "a"}));
    ASSERT_NE(greedy.back(), nullptr);
  }
  EXPECT_EQ(Open("a7", {.tenant = "a"}), nullptr);
  EXPECT_EQ(ErrorReason(status_), "TOO_MANY_STREAMS");
  auto modest = Open("b", {.tenant = "b"});
  ASSERT_NE(modest, nullptr);
  greedy.resize(4);
  for (int i = 4; i < 7; ++i) {
    greedy.push_back(Open(absl::StrCat("a", i), {.tenant = "a"}));
  }
  EXPECT_EQ(greedy.back(), nullptr) << "7 streams: b still has fewer";
  modest.reset();
  EXPECT_NE(Open("a6", {.tenant = "a"}), nullptr);
}

TEST_F(EventLogsTest, GivesUpAReaderThatTakesNothing) {
  auto reader = Open("a");
  clock_.Advance(absl::Hours(1));
  logs_.Sweep();
  EXPECT_EQ(given_up_, 0) << "there was nothing to take";
  Post("a", Image(0));
  reader->Next();
  clock_.Advance(absl::Seconds(59));
  logs_.Sweep();
  EXPECT_EQ(given_up_, 0);
  clock_.Advance(absl::Seconds(1));
  logs_.Sweep();
  logs_.Sweep();
  EXPECT_EQ(given_up_, 1);
}

TEST_F(EventLogsTest, AJobOverItsBoundEnds) {
  auto reader = Open("a");
  Post("a", Image(0, 60));
  Post("a", Image(1, 60));
  EXPECT_THAT(Rest(*reader), ::testing::ElementsAre("READER_TOO_SLOW"));
  EXPECT_EQ(held(), 0);
  EXPECT_TRUE(cancelled_.empty()) << "whoever posts may hold locks";
  logs_.Sweep();
  EXPECT_THAT(cancelled_, ::testing::ElementsAre("a"));
}

TEST_F(EventLogsTest, APreviewThatPassesABoundIsDropped) {
  auto reader = Open("a");
  Post("a", Image(0, 60));
  Post("a", Preview(1, 7, 60));
  EXPECT_THAT(Rest(*reader), ::testing::ElementsAre("image 0"));
  EXPECT_EQ(metrics_.previews_dropped().Value(), 1);
}

TEST_F(EventLogsTest, WhatIsOnlyKeptMakesRoomFirst) {
  const JobFile kept = {.request_id = kRequestId, .digest = "d"};
  auto a = Open("a", kept);
  Post("a", Image(0, 70));
  Post("a", End());
  Rest(*a);
  a.reset();
  EXPECT_EQ(held(), 70);
  auto b = Open("b");
  Post("b", Image(0, 90));
  EXPECT_EQ(held(), 90) << "the tenant has 150";
  EXPECT_THAT(Rest(*b), ::testing::ElementsAre("image 0"));
  Open("c", kept);
  EXPECT_TRUE(is_new_);
}

TEST_F(EventLogsTest, ThenTheReaderEndsThatTookNothingForLongest) {
  auto slow = Open("slow", {.tenant = "s"});
  auto quick = Open("quick", {.tenant = "q"});
  Post("slow", Image(0, 90));
  Post("quick", Image(0, 90));
  clock_.Advance(absl::Seconds(1));
  quick->Next();
  EXPECT_EQ(quick->Next(), nullptr);
  Post("quick", Image(1, 90));
  EXPECT_EQ(held(), 180);
  auto third = Open("third", {.tenant = "q"});
  Post("third", Image(0, 50));
  EXPECT_EQ(held(), 140) << "all together have 200, the slow one's 90 went";
  EXPECT_THAT(Rest(*slow), ::testing::ElementsAre("READER_TOO_SLOW"));
  EXPECT_THAT(Rest(*quick), ::testing::ElementsAre("image 1"));
}

// Its results may be on disk, and it was told of.
TEST_F(EventLogsTest, AJobThatEndedStaysAsItIsWhenAReaderIsTooSlow) {
  auto slow = Open("a", {.request_id = kRequestId, .digest = "d"});
  Post("a", Image(0, 60));
  Post("a", End());
  logs_.KeptElsewhere("a");
  const size_t told = listener_.ended.size();
  auto other = Open("b");
  Post("b", Image(0, 95));
  EXPECT_THAT(Rest(*slow), ::testing::ElementsAre("READER_TOO_SLOW"));
  EXPECT_EQ(listener_.ended.size(), told) << "nobody hears of a second end";
  slow.reset();
  EXPECT_THAT(listener_.forgotten, ::testing::IsEmpty());
  logs_.Sweep();
  EXPECT_TRUE(cancelled_.empty());
}

TEST_F(EventLogsTest, WhatIsPutBackKeepsTheBounds) {
  auto slow = Open("slow", {.tenant = "s"});
  Post("slow", Image(0, 90));
  auto quick = Open("quick", {.tenant = "q"});
  Post("quick", Image(0, 60));
  quick->Next();
  clock_.Advance(absl::Seconds(1));
  v1::JobEvent image = Image(0, 80);
  image.set_sequence(1);
  v1::JobEvent end = End();
  end.set_sequence(2);
  const auto restore = [&] {
    return logs_.Restore({.job_id = "old", .tenant = "o", .is_kept = true},
                         {std::make_shared<const v1::JobEvent>(image),
                          std::make_shared<const v1::JobEvent>(end)},
                         clock_.Now(), /*after=*/0,
                         {.event = [] {}, .given_up = [] {}});
  };
  auto reader = restore();
  EXPECT_EQ(ErrorReason(reader.status()), "RESULTS_BUSY")
      << "all together have 200";
  EXPECT_EQ(held(), 150) << "nobody else loses anything for it";
  EXPECT_FALSE(logs_.Has("old"));
  EXPECT_THAT(Rest(*slow), ::testing::ElementsAre("image 0"));
  reader = restore();
  ASSERT_THAT(reader, IsOk());
  EXPECT_THAT(Rest(**reader), ::testing::ElementsAre("image 0", "ended"));
  reader->reset();
  EXPECT_FALSE(logs_.Has("old")) << "as long as somebody reads it";
}

TEST_F(EventLogsTest, AJobThatWasNotSubmittedIsForgotten) {
  auto reader = Open("a", {.request_id = kRequestId, .digest = "d"});
  logs_.Drop("a", absl::ResourceExhaustedError("full"), reader.get());
  reader.reset();
  EXPECT_TRUE(cancelled_.empty());
  Open("b", {.request_id = kRequestId, .digest = "e"});
  EXPECT_TRUE(is_new_);
}

// Whoever sent it again between its filing and its refusal.
TEST_F(EventLogsTest, OthersHearWhyAJobWasNotSubmitted) {
  const JobFile file = {.request_id = kRequestId, .digest = "d"};
  auto opener = Open("a", file);
  auto other = Open("b", file);
  EXPECT_FALSE(is_new_);
  logs_.Drop("a", absl::ResourceExhaustedError("full"), opener.get());
  opener.reset();
  const auto end = other->Next();
  ASSERT_NE(end, nullptr);
  EXPECT_EQ(end->ended().state(), v1::JOB_STATE_FAILED);
  EXPECT_EQ(end->ended().status().message(), "full");
  other.reset();
  EXPECT_FALSE(logs_.Has("a"));
  EXPECT_TRUE(cancelled_.empty());
}

}  // namespace
}  // namespace genzo
