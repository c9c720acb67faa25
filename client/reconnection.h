#ifndef GENZO_CLIENT_RECONNECTION_H_
#define GENZO_CLIENT_RECONNECTION_H_

#include <optional>
#include <string>

#include "absl/random/random.h"
#include "absl/time/time.h"
#include "genzo/v1/image_generation.pb.h"
#include "grpcpp/support/status.h"

namespace genzo {

inline constexpr absl::Duration kFirstRest = absl::Milliseconds(250);

// How long the reader of a job waits before it asks for the job again, once a
// call for it has broken off: twice as long each time, up to 10 s, or longer
// if the server says so; a fifth more or less, so that not all come at once. It
// rests nowhere itself. Not thread-safe.
//
//   the connection broke   rests about 0.25 s
//   no server answers      rests about 0.5 s, 1 s, 2 s, ...
//   an event comes         Heard(): the next break begins at 0.25 s again
class Reconnection {
 public:
  // Gives up after `most_tries` without an event in between.
  explicit Reconnection(int most_tries, absl::Duration first_rest = kFirstRest)
      : most_tries_(most_tries), first_rest_(first_rest) {}

  // An event has come.
  void Heard() { tries_ = 0; }

  // How long to rest after a call that ended with `status`; nullopt if asking
  // again would not help, or has not.
  std::optional<absl::Duration> RestAfter(const grpc::Status& status);

  // Whether RestAfter() was asked once since an event came: the time to tell
  // people.
  bool is_first() const { return tries_ == 1; }

 private:
  const int most_tries_;
  const absl::Duration first_rest_;
  int tries_ = 0;
  absl::BitGen random_;
};

// What broke a call for a job off, which was there before; for people.
std::string DescribeBreak(const grpc::Status& status,
                          const std::string& server);

// Whether `event` ends a job only because its server stops: the job is taken up
// by the next server, or by the same request sent there.
bool IsEndOfServer(const v1::JobEvent& event);

}  // namespace genzo

#endif  // GENZO_CLIENT_RECONNECTION_H_
