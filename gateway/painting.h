#ifndef GENZO_GATEWAY_PAINTING_H_
#define GENZO_GATEWAY_PAINTING_H_

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "gateway/backend.h"
#include "gateway/http.h"
#include "gateway/json_body.h"
#include "gateway/model_names.h"
#include "genzo/v1/image_generation.pb.h"

// What all doors do with a request for pictures.

namespace genzo {

// A job that has ended with at least one picture, or with all withheld.
struct Painting {
  std::string job_id;
  v1::GenerateRequest resolved;
  // By index; those that failed or were withheld are missing.
  std::map<uint32_t, v1::Image> images;
  uint32_t withheld = 0;
  v1::Ended ended;
};

// What the JSON doors tell of an image beside its bytes: seed, and as far as
// there is any, score, latents, safety and approximations.
nlohmann::json FactsOf(const v1::Image& image);

// Sees every event before it is collected.
using EventEar = std::function<void(const v1::JobEvent& event)>;

// Collects the pictures of a stream. `done` is called once, at its end.
StreamListener Collecting(EventEar ear,
                          std::function<void(absl::StatusOr<Painting>)> done);

// Runs the request to its end and collects its pictures. `done` is called once,
// on gRPC's threads. If the client of `exchange` goes away the call is
// cancelled, and with it the job unless the request says otherwise.
void Paint(Backend& backend, const CallerKeys& keys,
           const v1::GenerateRequest& request, HttpExchange& exchange,
           EventEar ear, std::function<void(absl::StatusOr<Painting>)> done);

// Reads the fields that the JSON doors besides A1111 have in common: prompt,
// negative_prompt, model, seed, num_inference_steps, guidance_scale, sampler,
// scheduler and so on. Faults go to `reader`.
void ReadCommonFields(FieldReader& reader, const ModelNames& names,
                      v1::GenerateRequest& request);

// After which of a walk's steps `count` previews are due, none after the last.
// Evenly spread over the work: a step of a `hires` pass that is twice as wide
// and high counts for four. Fewer if there are not so many steps.
//
//   20 steps, hires of factor 2 and 14 steps, 3 previews: after 19, 24 and 29
std::vector<uint32_t> PreviewSteps(const v1::GenerateRequest& request,
                                   uint32_t steps, int count);

// A UUID: the key itself if it is one, else one made of its digest.
std::string RequestIdOf(const std::string& idempotency_key);

// One Server-Sent Event; `id` 0: without.
std::string ServerSentEvent(absl::string_view event, uint64_t id,
                            absl::string_view data);
// The number in Last-Event-ID; 0 if there is none that makes sense.
uint64_t LastEventId(const HttpRequest& request);
// The head of a stream of them.
HttpResponse EventStreamHead();

}  // namespace genzo

#endif  // GENZO_GATEWAY_PAINTING_H_
