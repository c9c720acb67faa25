#ifndef GENZO_TOOLS_BENCH_MEASUREMENT_H_
#define GENZO_TOOLS_BENCH_MEASUREMENT_H_

#include <cstdint>
#include <map>
#include <optional>
#include <string>

#include "absl/time/time.h"
#include "genzo/v1/image_generation.pb.h"
#include "grpcpp/support/status.h"

namespace genzo {

// A finish that the server predicted.
struct Prediction {
  absl::Duration at;    // when, since arrival
  absl::Duration left;  // what it predicted then
};

// What one Generate call yielded. Times are since the request's arrival, which
// is when it was due, not when the bench got round to sending it. Not
// thread-safe.
struct Measurement {
  int index = 0;  // of the request in its load
  int kind = 0;   // of the request in its mix
  std::string tenant = {};
  std::optional<absl::Duration> first_step = {};
  std::optional<absl::Duration> first_preview = {};
  // The first ones that were made while waiting and while being painted; absent
  // if the server makes none.
  std::optional<Prediction> queued_prediction = {};
  std::optional<Prediction> step_prediction = {};
  // Steps seen by rows of their evaluation; empty if the server does not tell.
  std::map<uint32_t, int> batch_rows = {};
  int pictures = 0;
  std::string picture = {};   // the last picture's file, if it was to be kept
  absl::Duration total = {};  // until the call's end
  bool cancelled = false;     // by the bench
  bool hung = false;          // ended only because the bench gave up on it
  bool server_gone = false;
  grpc::StatusCode code = grpc::StatusCode::OK;
  std::string reason = {};   // ErrorInfo's; empty if there is none
  std::string message = {};  // of the error, for people

  // Takes an event.
  void Note(const v1::JobEvent& event, absl::Duration now, bool keep_picture);
  // Takes the end.
  void NoteEnd(const grpc::Status& status, absl::Duration now);

  bool succeeded() const {
    return code == grpc::StatusCode::OK && pictures > 0;
  }
  // Ended without picture and without error; never legal.
  bool lost() const { return code == grpc::StatusCode::OK && pictures == 0; }
  // "OK", "LOST", "HUNG", "SERVER_GONE", "CANCELLED", else the ErrorInfo's
  // reason, else the name of the code.
  std::string outcome() const;
};

}  // namespace genzo

#endif  // GENZO_TOOLS_BENCH_MEASUREMENT_H_
