#ifndef GENZO_TESTS_CLIENT_COMMANDS_FIXTURE_H_
#define GENZO_TESTS_CLIENT_COMMANDS_FIXTURE_H_

#include <string>
#include <vector>

#include "base/errors.h"
#include "tests/client/fake_server.h"
#include "tests/testing/test_folder.h"

namespace genzo {

// The commands that ask a server, against one that answers what it is told.
class CommandsTest : public ::testing::Test {
 protected:
  template <typename Command>
  Outcome Run(const std::vector<std::string>& words) {
    Outcome outcome = RunCommand<Command>(server_.address(), words);
    server_.Settle();
    return outcome;
  }

  v1::Job AJob(const std::string& id, v1::JobState state) {
    v1::Job job;
    job.set_id(id);
    job.set_state(state);
    job.mutable_create_time()->set_seconds(1'700'000'000);
    job.set_steps_done(3);
    job.set_steps_total(20);
    return job;
  }

  v1::JobEvent ImageOf(const std::string& bytes) {
    v1::JobEvent event;
    event.mutable_image()->set_seed(7);
    v1::Picture& picture = *event.mutable_image()->mutable_picture();
    picture.set_data(bytes);
    picture.set_size_bytes(bytes.size());
    picture.set_media_type("image/png");
    picture.set_width(64);
    picture.set_height(32);
    return event;
  }

  v1::JobEvent EndOf(v1::JobState state, const absl::Status& status) {
    v1::JobEvent event;
    event.mutable_ended()->set_state(state);
    if (!status.ok()) {
      *event.mutable_ended()->mutable_status() = ToRpcStatus(status);
    }
    return event;
  }

  FakeServer server_;
  Answers& answers_ = server_.answers;
  const TestFolder folder_;
};

}  // namespace genzo

#endif  // GENZO_TESTS_CLIENT_COMMANDS_FIXTURE_H_
