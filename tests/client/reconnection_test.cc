// Jobs whose connection breaks on the way.

#include "client/reconnection.h"

#include <deque>

#include "base/errors.h"
#include "client/generate_command.h"
#include "client/jobs_command.h"
#include "tests/client/fake_server.h"
#include "tests/testing/test_folder.h"

namespace genzo {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::SizeIs;

const grpc::Status kBroken(grpc::StatusCode::UNAVAILABLE, "Socket closed");

grpc::Status FromGenzo(const absl::Status& status) {
  const google::rpc::Status details = ToRpcStatus(status);
  return grpc::Status(static_cast<grpc::StatusCode>(details.code()),
                      details.message(), details.SerializeAsString());
}

grpc::Status Stopping() {
  return FromGenzo(
      RetryLaterError("DRAINING", "the server stops", absl::ZeroDuration()));
}

TEST(ReconnectionTest, RestsLongerEachTimeUpToTenSeconds) {
  Reconnection reconnection(/*most_tries=*/20);
  for (const double seconds : {0.25, 0.5, 1., 2., 4., 8., 10., 10.}) {
    const auto rest = reconnection.RestAfter(kBroken);
    ASSERT_TRUE(rest.has_value());
    EXPECT_GE(*rest, absl::Seconds(0.8 * seconds));
    EXPECT_LE(*rest, absl::Seconds(1.2 * seconds));
  }
}

TEST(ReconnectionTest, BeginsAnewOnceItHears) {
  Reconnection reconnection(/*most_tries=*/2);
  EXPECT_TRUE(reconnection.RestAfter(kBroken).has_value());
  EXPECT_TRUE(reconnection.is_first());
  EXPECT_TRUE(reconnection.RestAfter(kBroken).has_value());
  EXPECT_FALSE(reconnection.is_first());
  EXPECT_FALSE(reconnection.RestAfter(kBroken).has_value());
  reconnection.Heard();
  const auto rest = reconnection.RestAfter(kBroken);
  ASSERT_TRUE(rest.has_value());
  EXPECT_LE(*rest, absl::Seconds(0.3));
}

TEST(ReconnectionTest, ComesBackWhenTheServerSays) {
  Reconnection reconnection(/*most_tries=*/20);
  for (const char* reason : {"DRAINING", "TOO_MANY_STREAMS", "RESULTS_BUSY"}) {
    const auto rest = reconnection.RestAfter(
        FromGenzo(RetryLaterError(reason, "not now", absl::Seconds(30), {},
                                  absl::StatusCode::kResourceExhausted)));
    ASSERT_TRUE(rest.has_value()) << reason;
    EXPECT_GE(*rest, absl::Seconds(24)) << reason;
  }
}

TEST(ReconnectionTest, RestsNoLessThanItWouldUnasked) {
  Reconnection reconnection(/*most_tries=*/20);
  for (int i = 0; i < 5; ++i) reconnection.RestAfter(kBroken);
  const auto rest = reconnection.RestAfter(FromGenzo(
      RetryLaterError("DRAINING", "the server stops", absl::Seconds(1))));
  ASSERT_TRUE(rest.has_value());
  EXPECT_GE(*rest, absl::Seconds(0.8 * 8));
}

TEST(ReconnectionTest, DoesNotAskAgainWhatIsAnswered) {
  Reconnection reconnection(/*most_tries=*/20);
  for (const grpc::Status& status :
       {grpc::Status::OK,
        grpc::Status(grpc::StatusCode::DEADLINE_EXCEEDED, "late"),
        FromGenzo(ErrorWithReason(absl::StatusCode::kNotFound, "JOB_UNKNOWN",
                                  "no job")),
        FromGenzo(ErrorWithReason(absl::StatusCode::kUnavailable,
                                  "MODEL_DRAINED", "taken out of use")),
        FromGenzo(RetryLaterError("QUEUE_FULL", "full", absl::Seconds(3))),
        FromGenzo(RetryLaterError("QUOTA_EXCEEDED", "enough", absl::Seconds(3),
                                  {}, absl::StatusCode::kResourceExhausted)),
        FromGenzo(ErrorWithReason(absl::StatusCode::kInternal, "NOT_FINITE",
                                  "not a number"))}) {
    EXPECT_FALSE(reconnection.RestAfter(status).has_value())
        << status.error_message();
  }
}

// The commands, without rests.
struct Jobs : JobsCommand {
  Jobs(CLI::App& app, const std::string& server)
      : JobsCommand(app, server, absl::ZeroDuration()) {}
};
struct Generate : GenerateCommand {
  Generate(CLI::App& app, const std::string& server)
      : GenerateCommand(app, server, absl::ZeroDuration()) {}
};

class BrokenConnectionTest : public ::testing::Test {
 protected:
  BrokenConnectionTest() {
    answers_.job.mutable_resolved()->set_seed(7);  // it is painted
  }

  template <typename Command>
  Outcome Run(std::vector<std::string> words) {
    words.insert(words.end(), {"-o", folder_.path()});
    Outcome outcome = RunCommand<Command>(server_.address(), words);
    server_.Settle();
    return outcome;
  }

  static v1::JobEvent Event(uint64_t sequence, const std::string& job = "a") {
    v1::JobEvent event;
    event.set_job_id(job);
    event.set_sequence(sequence);
    return event;
  }

  static v1::JobEvent Queued(uint64_t sequence, const std::string& job = "a") {
    v1::JobEvent event = Event(sequence, job);
    event.mutable_queued()->set_position(3);
    return event;
  }

  static v1::JobEvent ImageOf(uint64_t sequence, uint64_t seed,
                              const std::string& job = "a") {
    v1::JobEvent event = Event(sequence, job);
    event.mutable_image()->set_seed(seed);
    v1::Picture& picture = *event.mutable_image()->mutable_picture();
    picture.set_data("png");
    picture.set_size_bytes(3);
    picture.set_media_type("image/png");
    return event;
  }

  static v1::JobEvent End(uint64_t sequence, const std::string& job = "a") {
    v1::JobEvent event = Event(sequence, job);
    event.mutable_ended()->set_state(v1::JOB_STATE_SUCCEEDED);
    return event;
  }

  // How often `word` stands in `text`.
  static int Count(const std::string& text, const std::string& word) {
    int count = 0;
    for (size_t at = text.find(word); at != std::string::npos;
         at = text.find(word, at + 1)) {
      ++count;
    }
    return count;
  }

  FakeServer server_;
  Answers& answers_ = server_.answers;
  const TestFolder folder_;
};

TEST_F(BrokenConnectionTest, AWatcherComesBackBehindWhatItHas) {
  answers_.streams = {{{ImageOf(4, 7)}, kBroken},
                      {{}, kBroken},
                      {{}, Stopping()},
                      {{ImageOf(6, 8), End(7)}, grpc::Status::OK}};
  const Outcome outcome = Run<Jobs>({"watch", "a", "--after", "2"});
  EXPECT_EQ(outcome.status, kExitOk) << outcome.error;
  EXPECT_THAT(
      answers_.asked,
      ElementsAre(HasSubstr("GetJob"), EndsWith("after_sequence: 2"),
                  EndsWith("after_sequence: 4"), EndsWith("after_sequence: 4"),
                  EndsWith("after_sequence: 4")));
  EXPECT_EQ(Count(outcome.out, "image, seed"), 2);
  EXPECT_EQ(outcome.error,
            "genzo: the connection to " + server_.address() +
                " broke (Socket closed); asking again until the job has "
                "ended\n");
}

// What came of it goes for nothing: its chunks would not fit.
TEST_F(BrokenConnectionTest, APictureThatBrokeOffIsAskedForAgain) {
  v1::JobEvent half = ImageOf(4, 7);
  half.mutable_image()->mutable_picture()->set_size_bytes(9);
  answers_.streams = {{{Queued(3), half}, kBroken},
                      {{ImageOf(4, 7), End(5)}, grpc::Status::OK}};
  const Outcome outcome = Run<Jobs>({"watch", "a"});
  EXPECT_EQ(outcome.status, kExitOk) << outcome.error;
  EXPECT_THAT(answers_.asked.back(), EndsWith("after_sequence: 3"));
  EXPECT_EQ(Count(outcome.out, "image, seed"), 1);
}

TEST_F(BrokenConnectionTest, AJobThatIsGoneWithItsServerIsSaidToBeLost) {
  answers_.streams = {
      {{Queued(1)}, kBroken},
      {{},
       FromGenzo(ErrorWithReason(absl::StatusCode::kNotFound, "JOB_UNKNOWN",
                                 "no job \"a\""))}};
  const Outcome outcome = Run<Jobs>({"watch", "a"});
  EXPECT_EQ(outcome.status, kExitFailed);
  EXPECT_THAT(outcome.error,
              AllOf(HasSubstr("no job \"a\""), HasSubstr("the job is lost")));
}

TEST_F(BrokenConnectionTest, AJobWhoseResultsWentMeanwhileIsNotCalledLost) {
  answers_.streams = {
      {{Queued(1)}, kBroken},
      {{},
       FromGenzo(ErrorWithReason(absl::StatusCode::kNotFound, "JOB_EXPIRED",
                                 "its results are gone"))}};
  const Outcome outcome = Run<Jobs>({"watch", "a"});
  EXPECT_EQ(outcome.status, kExitRefused);
  EXPECT_THAT(outcome.error, Not(HasSubstr("lost")));
}

TEST_F(BrokenConnectionTest, AnEndCountsWhateverComesAfterIt) {
  answers_.streams = {{{ImageOf(1, 7), End(2)}, kBroken}};
  EXPECT_EQ(Run<Jobs>({"watch", "a"}).status, kExitOk);
  EXPECT_THAT(answers_.asked, SizeIs(2));
}

TEST_F(BrokenConnectionTest, APaintedJobsEndCountsWhateverComesAfterIt) {
  answers_.streams = {{{ImageOf(1, 7), End(2)}, kBroken}};
  EXPECT_EQ(Run<Generate>({"generate", "a fox"}).status, kExitOk);
  EXPECT_THAT(answers_.asked, SizeIs(1));
}

TEST_F(BrokenConnectionTest, AJobThatFailedIsNotPaintedAgain) {
  v1::JobEvent failed = End(2);
  failed.mutable_ended()->set_state(v1::JOB_STATE_FAILED);
  answers_.streams = {{{Queued(1), failed}, kBroken}};
  const Outcome unsaid = Run<Generate>({"generate", "a fox", "--continue"});
  EXPECT_EQ(unsaid.status, kExitFailed);
  EXPECT_THAT(unsaid.error,
              AllOf(HasSubstr("does not say why"), Not(HasSubstr("goes on"))));
  EXPECT_THAT(answers_.asked, SizeIs(1));
  *failed.mutable_ended()->mutable_status() = ToRpcStatus(ErrorWithReason(
      absl::StatusCode::kInternal, "NOT_FINITE", "not a number"));
  answers_.streams = {{{Queued(1), failed}, kBroken}};
  const Outcome said = Run<Generate>({"generate", "a fox"});
  EXPECT_EQ(said.status, kExitFailed);
  EXPECT_EQ(said.error, "genzo: not a number\n");
  EXPECT_THAT(answers_.asked, SizeIs(2));
}

TEST_F(BrokenConnectionTest, ARequestIsSentAgainAndNothingShownTwice) {
  answers_.streams = {
      {{Queued(1), ImageOf(4, 7)}, kBroken},
      {{Queued(1), ImageOf(4, 7), ImageOf(5, 8), End(6)}, grpc::Status::OK}};
  const Outcome outcome = Run<Generate>({"generate", "a fox", "-s", "7"});
  EXPECT_EQ(outcome.status, kExitOk) << outcome.error;
  ASSERT_THAT(answers_.asked, SizeIs(2));
  EXPECT_EQ(answers_.asked[0], answers_.asked[1]);
  EXPECT_THAT(answers_.asked[0], HasSubstr("request_id: \""));
  EXPECT_EQ(Count(outcome.out, "image, seed 7"), 1);
  EXPECT_EQ(Count(outcome.out, "image, seed 8"), 1);
  EXPECT_THAT(outcome.error, HasSubstr("sending the request again"));
}

TEST_F(BrokenConnectionTest, AJobThatTheNextServerPaintsIsShownFromItsStart) {
  v1::JobEvent stopped = End(3);
  stopped.mutable_ended()->set_state(v1::JOB_STATE_FAILED);
  *stopped.mutable_ended()->mutable_status() = ToRpcStatus(
      RetryLaterError("DRAINING", "the server stops", absl::ZeroDuration()));
  answers_.streams = {
      {{Queued(1), stopped}, Stopping()},
      {{Queued(1, "b"), ImageOf(2, 7, "b"), End(3, "b")}, grpc::Status::OK}};
  const Outcome outcome = Run<Generate>({"generate", "a fox"});
  EXPECT_EQ(outcome.status, kExitOk) << outcome.error;
  EXPECT_EQ(Count(outcome.out, "jobs ahead"), 2);
  EXPECT_EQ(Count(outcome.out, "image, seed 7"), 1);
}

// gRPC's own word, which nobody here has asked for.
TEST_F(BrokenConnectionTest, ACallThatAStoppingServerCancelsIsMadeAgain) {
  const grpc::Status cancelled(grpc::StatusCode::CANCELLED, "CANCELLED");
  const std::deque<StreamAnswer> streams = {
      {{Queued(1)}, Stopping()},
      {{}, cancelled},
      {{Queued(1), ImageOf(2, 7), End(3)}, grpc::Status::OK}};
  answers_.streams = streams;
  EXPECT_EQ(Run<Generate>({"generate", "a fox"}).status, kExitOk);
  EXPECT_THAT(answers_.asked, SizeIs(3));
  answers_.streams = streams;
  EXPECT_EQ(Run<Jobs>({"watch", "a"}).status, kExitOk);
}

TEST_F(BrokenConnectionTest, ARequestThatBreaksEveryServerIsGivenUp) {
  for (int i = 0; i < 20; ++i) {
    answers_.streams.push_back({{Queued(1, absl::StrCat(i))}, kBroken});
  }
  EXPECT_EQ(Run<Generate>({"generate", "a fox"}).status, kExitUnavailable);
  EXPECT_THAT(answers_.asked, SizeIs(12));
}

TEST_F(BrokenConnectionTest, ARequestThatNeverBeganIsNotSentAgain) {
  answers_.streams = {{{}, kBroken}};
  const Outcome outcome = Run<Generate>({"generate", "a fox"});
  EXPECT_EQ(outcome.status, kExitUnavailable);
  EXPECT_THAT(answers_.asked, SizeIs(1));
}

TEST_F(BrokenConnectionTest, WhereAJobGoesOnItIsSaidHowToComeBack) {
  answers_.status = kBroken;  // of all calls after the first
  answers_.streams = {{{Queued(1)}, kBroken}};
  const Outcome left = Run<Generate>({"generate", "a fox", "--continue"});
  EXPECT_EQ(left.status, kExitUnavailable);
  EXPECT_THAT(left.error, EndsWith("the job goes on: genzo watch a\n"));
  EXPECT_THAT(answers_.asked[0], HasSubstr("ON_DISCONNECT_CONTINUE"));
  EXPECT_THAT(answers_.asked, SizeIs(12)) << "it is not tried for ever";
  answers_.streams = {{{Queued(1)}, kBroken}};
  EXPECT_THAT(Run<Generate>({"generate", "a fox"}).error,
              Not(HasSubstr("goes on")));
}

// A client cannot know whether its server had a folder to keep the job in.
TEST_F(BrokenConnectionTest, AJobMayGoOnWhenItsServerStops) {
  answers_.status = Stopping();  // of all calls after the first
  answers_.streams = {{{Queued(1)}, Stopping()}};
  const Outcome left = Run<Generate>({"generate", "a fox", "--continue"});
  EXPECT_EQ(left.status, kExitUnavailable);
  EXPECT_THAT(left.error,
              EndsWith("genzo: if the server keeps jobs "
                       "(jobs.results_folder), the next one goes on with this "
                       "one: genzo watch a\n"));
}

}  // namespace
}  // namespace genzo
