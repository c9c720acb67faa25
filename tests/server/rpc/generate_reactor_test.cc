#include "server/rpc/generate_reactor.h"

#include <algorithm>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/synchronization/notification.h"
#include "base/errors.h"
#include "grpcpp/support/slice.h"
#include "queue/job_end.h"
#include "tests/testing/fake_clock.h"
#include "tests/testing/matchers.h"

namespace genzo {
namespace {

using ::testing::ElementsAre;
using v1::JobEvent;

// "preview 3", "image 0", "ended".
std::string TextOf(const JobEvent& event) {
  if (event.has_preview()) {
    return absl::StrCat("preview ", event.preview().step());
  }
  if (event.has_image()) {
    return absl::StrCat("image ", event.image().image_index());
  }
  return event.has_ended() ? "ended" : "?";
}

// gRPC's side of a stream, whose client takes a message when the test says so.
class FakeStream : public grpc::ServerCallbackWriter<grpc::ByteBuffer> {
 public:
  void Bind(grpc::ServerWriteReactor<grpc::ByteBuffer>* reactor) {
    reactor_ = reactor;
    BindReactor(reactor);
  }

  void Finish(grpc::Status status) override {
    absl::MutexLock lock(&mutex_);
    EXPECT_EQ(writing_, nullptr) << "a write is in flight";
    finished_.push_back(status.error_code());
  }
  void SendInitialMetadata() override {}
  void Write(const grpc::ByteBuffer* message, grpc::WriteOptions) override {
    absl::MutexLock lock(&mutex_);
    EXPECT_EQ(writing_, nullptr) << "one at a time";
    EXPECT_THAT(finished_, ElementsAre()) << "the call is over";
    writing_ = message;
    ++writes_;
  }
  void WriteAndFinish(const grpc::ByteBuffer*, grpc::WriteOptions,
                      grpc::Status) override {
    ADD_FAILURE() << "nobody asks for it";
  }

  // Waits for a write to be in flight, and says of what it is.
  std::string Await() {
    absl::MutexLock lock(&mutex_);
    const auto writes = [this]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
      return writing_ != nullptr;
    };
    mutex_.Await(absl::Condition(&writes));
    std::vector<grpc::Slice> slices;
    writing_->Dump(&slices);
    std::string bytes;
    for (const grpc::Slice& slice : slices) {
      bytes.append(reinterpret_cast<const char*>(slice.begin()), slice.size());
    }
    JobEvent event;
    EXPECT_TRUE(event.ParseFromString(bytes));
    return TextOf(event);
  }
  // The client has taken it, or is gone.
  void EndWrite(bool ok = true) {
    {
      absl::MutexLock lock(&mutex_);
      writing_ = nullptr;
    }
    reactor_->OnWriteDone(ok);
  }
  std::string Take() {
    std::string name = Await();
    EndWrite();
    return name;
  }
  void Cancel() { reactor_->OnCancel(); }
  // The reactor is gone after that.
  void Done() { reactor_->OnDone(); }

  int writes() const {
    absl::MutexLock lock(&mutex_);
    return writes_;
  }
  std::vector<grpc::StatusCode> finished() const {
    absl::MutexLock lock(&mutex_);
    return finished_;
  }

 private:
  grpc::internal::ServerReactor* reactor() override { return reactor_; }
  void CallOnDone() override {}

  grpc::ServerWriteReactor<grpc::ByteBuffer>* reactor_ = nullptr;
  mutable absl::Mutex mutex_;
  const grpc::ByteBuffer* writing_ ABSL_GUARDED_BY(mutex_) = nullptr;
  int writes_ ABSL_GUARDED_BY(mutex_) = 0;
  std::vector<grpc::StatusCode> finished_ ABSL_GUARDED_BY(mutex_);
};

// A stream of the job "a", whose worker the test plays.
class GenerateReactorTest : public ::testing::Test {
 protected:
  void Start(const StreamKind& kind = kGenerateStream) {
    stream_.Bind(GenerateReactor::Start(
        &context_, kind,
        [this](const ReaderListener& listener)
            -> absl::StatusOr<std::unique_ptr<EventReader>> {
          listener_ = listener;
          auto opened = logs_.Open({.job_id = "a"}, listener);
          if (!opened.ok()) return opened.status();
          return std::move(opened->reader);
        },
        {metrics_, pump_, clock_}));
  }

  void Post(JobEvent event) {
    event.set_job_id("a");
    event.set_sequence(++sequence_);
    logs_.SinkOf("a")->Post(std::move(event));
  }
  void PostPreview(int step) {
    JobEvent event;
    event.mutable_preview()->set_step(step);
    Post(event);
  }
  void PostImage(int image_index) {
    JobEvent event;
    event.mutable_image()->set_image_index(image_index);
    Post(event);
  }
  void PostEnd(const absl::Status& status = absl::OkStatus()) {
    JobEvent event;
    *event.mutable_ended() = EndedBy(status);
    Post(event);
  }

  // Until the pump has done what there was to do.
  void AwaitPump() {
    absl::Notification done;
    pump_.Add([&done] { done.Notify(); });
    done.WaitForNotification();
  }

  FakeClock clock_;
  Metrics metrics_;
  std::vector<std::string> cancelled_;
  EventLogs logs_{{.reader_timeout = absl::Seconds(60)},
                  [this](const std::string& id) { cancelled_.push_back(id); },
                  clock_,
                  metrics_};
  uint64_t sequence_ = 0;
  grpc::CallbackServerContext context_;
  FakeStream stream_;
  ReaderListener listener_;
  WorkThread pump_;  // last: what it does uses the rest
};

TEST_F(GenerateReactorTest, WritesInOrderAndOneAtATime) {
  Start();
  AwaitPump();
  EXPECT_EQ(stream_.writes(), 0) << "there is nothing";
  PostPreview(1);
  PostImage(0);
  PostImage(1);
  PostEnd();
  int writes = 0;
  for (const char* expected : {"preview 1", "image 0", "image 1", "ended"}) {
    EXPECT_EQ(stream_.Await(), expected);
    AwaitPump();
    EXPECT_EQ(stream_.writes(), ++writes) << "the client has not taken it";
    EXPECT_THAT(stream_.finished(), ElementsAre());
    stream_.EndWrite();
  }
  EXPECT_THAT(stream_.finished(), ElementsAre(grpc::StatusCode::OK));
  EXPECT_THAT(cancelled_, ElementsAre());
  stream_.Done();
}

TEST_F(GenerateReactorTest, ASlowReaderGetsTheNewestPreviewAndEveryImage) {
  Start();
  PostPreview(1);
  EXPECT_EQ(stream_.Await(), "preview 1");
  PostPreview(2);
  PostImage(0);
  PostPreview(3);
  PostImage(1);
  PostEnd();
  stream_.EndWrite();
  std::vector<std::string> rest;
  while (stream_.finished().empty()) rest.push_back(stream_.Take());
  EXPECT_EQ(std::count(rest.begin(), rest.end(), "preview 2"), 0);
  for (const char* kept : {"image 0", "image 1", "ended"}) {
    EXPECT_EQ(std::count(rest.begin(), rest.end(), kept), 1) << kept;
  }
  EXPECT_EQ(rest.back(), "ended");
  stream_.Done();
}

TEST_F(GenerateReactorTest, AJobThatFailedEndsTheCallWithWhy) {
  Start();
  PostEnd(absl::ResourceExhaustedError("no memory"));
  EXPECT_EQ(stream_.Take(), "ended");
  EXPECT_THAT(stream_.finished(),
              ElementsAre(grpc::StatusCode::RESOURCE_EXHAUSTED));
  stream_.Done();
}

TEST_F(GenerateReactorTest, WhoWatchesHearsOfAFailureInTheEventAlone) {
  Start(kWatchStream);
  PostEnd(absl::ResourceExhaustedError("no memory"));
  EXPECT_EQ(stream_.Take(), "ended");
  EXPECT_THAT(stream_.finished(), ElementsAre(grpc::StatusCode::OK));
  stream_.Done();
}

TEST_F(GenerateReactorTest, AServerThatStopsIsNotTheEndOfAWatchedJob) {
  Start(kWatchStream);
  PostEnd(DrainingError());
  AwaitPump();
  EXPECT_EQ(stream_.writes(), 0);
  EXPECT_THAT(stream_.finished(), ElementsAre(grpc::StatusCode::UNAVAILABLE));
  stream_.Done();
}

TEST_F(GenerateReactorTest, ARefusedCallEndsAtOnceWithoutAWrite) {
  stream_.Bind(GenerateReactor::Start(
      &context_, kGenerateStream,
      [](const ReaderListener&)
          -> absl::StatusOr<std::unique_ptr<EventReader>> {
        return absl::InvalidArgumentError("no prompt");
      },
      {metrics_, pump_, clock_}));
  EXPECT_THAT(stream_.finished(),
              ElementsAre(grpc::StatusCode::INVALID_ARGUMENT));
  stream_.Cancel();
  AwaitPump();
  EXPECT_EQ(stream_.finished().size(), 1u);
  EXPECT_EQ(stream_.writes(), 0);
  stream_.Done();
}

TEST_F(GenerateReactorTest, AClientThatGoesLeavesTheJob) {
  Start();
  stream_.Cancel();
  EXPECT_THAT(cancelled_, ElementsAre("a"));
  EXPECT_THAT(stream_.finished(), ElementsAre(grpc::StatusCode::CANCELLED));
  PostImage(0);
  PostEnd();
  AwaitPump();
  EXPECT_EQ(stream_.writes(), 0);
  EXPECT_EQ(stream_.finished().size(), 1u);
  stream_.Done();
}

TEST_F(GenerateReactorTest, AClientThatGoesDuringAWriteEndsTheCallAfterIt) {
  Start();
  PostImage(0);
  stream_.Await();
  stream_.Cancel();
  EXPECT_THAT(cancelled_, ElementsAre("a")) << "its place is free at once";
  EXPECT_THAT(stream_.finished(), ElementsAre());
  stream_.EndWrite(/*ok=*/false);
  EXPECT_THAT(stream_.finished(), ElementsAre(grpc::StatusCode::CANCELLED));
  EXPECT_EQ(stream_.writes(), 1);
  stream_.Done();
}

TEST_F(GenerateReactorTest, AWriteThatFailsEndsTheCallOnce) {
  Start();
  PostImage(0);
  PostEnd();
  stream_.Await();
  stream_.EndWrite(/*ok=*/false);
  stream_.Cancel();
  AwaitPump();
  EXPECT_THAT(stream_.finished(), ElementsAre(grpc::StatusCode::CANCELLED));
  EXPECT_EQ(stream_.writes(), 1);
  stream_.Done();
}

// As EventLogs says, a listener may be called once more just after.
TEST_F(GenerateReactorTest, WhatIsHeardAfterTheEndDoesNothing) {
  Start();
  PostEnd();
  EXPECT_EQ(stream_.Take(), "ended");
  listener_.event();
  listener_.given_up();
  AwaitPump();
  absl::Notification go_on;
  pump_.Add([&go_on] { go_on.WaitForNotification(); });
  listener_.event();  // the pump comes to it after OnDone
  stream_.Done();
  listener_.event();
  listener_.given_up();
  go_on.Notify();
  AwaitPump();
  EXPECT_EQ(stream_.writes(), 1);
  EXPECT_EQ(stream_.finished().size(), 1u);
}

}  // namespace
}  // namespace genzo
