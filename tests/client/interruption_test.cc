// Ctrl-C while a picture is painted: within a call, and between two.

#include <signal.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <deque>
#include <functional>
#include <iostream>
#include <memory>

#include "absl/time/clock.h"
#include "base/errors.h"
#include "client/generate_command.h"
#include "client/painting.h"
#include "tests/client/fake_server.h"
#include "tests/testing/test_folder.h"

namespace genzo {
namespace {

using Streams = std::deque<StreamAnswer>;

const grpc::Status kBroken(grpc::StatusCode::UNAVAILABLE, "Socket closed");

v1::JobEvent Queued() {
  v1::JobEvent event;
  event.set_job_id("a");
  event.set_sequence(1);
  event.mutable_queued()->set_position(3);
  return event;
}

// Ends the process as `run` does of a server that answers so. From now on the
// signal is for the command alone, which waits for it.
void EndAs(const Streams& streams,
           const std::function<ExitStatus(const FakeServer&)>& run) {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGINT);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  const ExitStatus status = [&] {
    FakeServer server;
    server.answers.status = kBroken;
    server.answers.streams = streams;
    const ExitStatus end = run(server);
    server.Settle();
    std::cerr << server.answers.asked.size() << " calls\n";
    return end;
  }();
  std::exit(status);
}

void PressCtrlC(const grpc::ServerContext& context) {
  kill(getpid(), SIGINT);
  while (!context.IsCancelled()) absl::SleepFor(absl::Milliseconds(1));
}

struct Generate : GenerateCommand {
  Generate(CLI::App& app, const std::string& server)
      : GenerateCommand(app, server, absl::ZeroDuration()) {}
};

// As `genzo generate` that hears Ctrl-C during its second call: by then it
// knows the job.
void EndInCall(const std::vector<std::string>& options) {
  EndAs({{{Queued()}, kBroken}, {{}, kBroken, PressCtrlC}},
        [&](const FakeServer& server) {
          const TestFolder folder;
          std::vector<std::string> words = {"generate", "a fox", "-o",
                                            folder.path()};
          words.insert(words.end(), options.begin(), options.end());
          const Outcome outcome = RunCommand<Generate>(server.address(), words);
          std::cerr << outcome.error;
          return outcome.status;
        });
}

// Somebody who presses Ctrl-C as soon as they are told of a rest.
struct ImpatientReader : EventPrinter {
  void Show(const v1::JobEvent&, const std::string&) override {}
  void Say(const std::string& text) override {
    std::cerr << "told: " << text << "\n";
    kill(getpid(), SIGINT);
  }
};

// The same in the rest that the server asks for.
void EndInRest(const Streams& streams, v1::OnDisconnect on_disconnect) {
  EndAs(streams, [&](const FakeServer& server) {
    const TestFolder folder;
    PictureSink sink(PictureFiles(folder.path(), "fox", /*seed=*/7),
                     std::make_unique<ImpatientReader>());
    v1::GenerateRequest request;
    request.set_on_disconnect(on_disconnect);
    return Paint({.server = server.address(),
                  .deadline = std::chrono::system_clock::time_point::max(),
                  .first_rest = absl::ZeroDuration()},
                 request, sink);
  });
}

// Not before an hour has passed.
grpc::Status NotNow(const std::string& reason) {
  const google::rpc::Status details =
      ToRpcStatus(RetryLaterError(reason, "not now", absl::Hours(1)));
  return grpc::Status(grpc::StatusCode::UNAVAILABLE, details.message(),
                      details.SerializeAsString());
}

// In processes of their own: there no thread is older than the signal's mask.
class InterruptDeathTest : public ::testing::Test {
 protected:
  InterruptDeathTest() { GTEST_FLAG_SET(death_test_style, "threadsafe"); }
  const ::testing::ExitedWithCode exited_{kExitInterrupted};
};

TEST_F(InterruptDeathTest, CtrlCCancelsTheJob) {
  EXPECT_EXIT(EndInCall({}), exited_, "2 calls");
  EXPECT_EXIT(EndInCall({}), exited_, "genzo: cancelled");
}

TEST_F(InterruptDeathTest, CtrlCLeavesAJobThatGoesOn) {
  EXPECT_EXIT(EndInCall({"--continue"}), exited_,
              "the job goes on: genzo watch a");
}

TEST_F(InterruptDeathTest, CtrlCEndsTheRestBetweenTwoTries) {
  EXPECT_EXIT(
      EndInRest({{{Queued()}, NotNow("DRAINING")}}, v1::ON_DISCONNECT_CANCEL),
      exited_, "told: .*sending the request again\ngenzo: cancelled\n1 calls");
}

TEST_F(InterruptDeathTest, InARestCtrlCLeavesAJobThatGoesOn) {
  EXPECT_EXIT(
      EndInRest({{{Queued()}, NotNow("DRAINING")}}, v1::ON_DISCONNECT_CONTINUE),
      exited_,
      "told: .*again\ngenzo: if the server keeps jobs .*: genzo watch a\n"
      "1 calls");
}

// No job is there yet that could go on.
TEST_F(InterruptDeathTest, CtrlCEndsTheWaitForAModel) {
  EXPECT_EXIT(
      EndInRest({{{}, NotNow("MODEL_LOADING")}}, v1::ON_DISCONNECT_CONTINUE),
      exited_, "told: the model is loading\ngenzo: cancelled\n1 calls");
}

}  // namespace
}  // namespace genzo
