#ifndef GENZO_CLIENT_PAINTING_H_
#define GENZO_CLIENT_PAINTING_H_

#include <chrono>
#include <string>

#include "absl/time/time.h"
#include "client/picture_sink.h"
#include "client/reconnection.h"
#include "client/status_report.h"
#include "genzo/v1/image_generation.pb.h"

namespace genzo {

// How a request is sent.
struct PaintOptions {
  std::string server;
  std::chrono::system_clock::time_point deadline;
  absl::Duration first_rest = kFirstRest;
};

// Sends `request` and gives what comes of it to `sink`, until the job ends.
// A model that is loading is waited for. Where the connection breaks after the
// first event, the request is sent again for about a minute: by its request_id,
// which is drawn here if it has none, the server knows the job, or paints it
// anew. Ctrl-C cancels the job; with ON_DISCONNECT_CONTINUE it is left, and how
// to come back is said. Says on standard error what went wrong.
ExitStatus Paint(const PaintOptions& options, v1::GenerateRequest request,
                 PictureSink& sink);

}  // namespace genzo

#endif  // GENZO_CLIENT_PAINTING_H_
