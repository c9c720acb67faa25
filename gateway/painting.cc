#include "gateway/painting.h"

#include <algorithm>

#include "absl/strings/escaping.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "base/hires_defaults.h"
#include "base/request_rules.h"
#include "base/sha256.h"
#include "gateway/loras.h"
#include "gateway/model_fields.h"
#include "gateway/picture_fields.h"
#include "gateway/sampler_labels.h"
#include "gateway/steering_fields.h"

namespace genzo {

using nlohmann::json;
namespace {

void Collect(v1::JobEvent event, Painting& painting) {
  painting.job_id = event.job_id();
  if (event.has_started()) {
    painting.resolved = std::move(*event.mutable_started()->mutable_resolved());
  } else if (event.has_image()) {
    const uint32_t index = event.image().image_index();
    painting.images[index] = std::move(*event.mutable_image());
  } else if (event.has_image_withheld()) {
    ++painting.withheld;
  } else if (event.has_ended()) {
    painting.ended = std::move(*event.mutable_ended());
  }
}

void ReadSampler(FieldReader& reader, v1::GenerateRequest& request) {
  if (const auto choice = ReadSamplerName(reader, {"sampler"})) {
    request.set_sampler(choice->sampler);
    request.set_schedule(choice->schedule);
  }
  if (const auto schedule = ReadScheduleName(reader, {"scheduler"})) {
    request.set_schedule(*schedule);
  }
}

// A request's `hires`, before the service has filled its defaults in and
// refused what is out of range.
struct SecondPass {
  uint64_t steps = 0;
  double cost = 1;  // of a step, in steps of the first pass
};

SecondPass SecondPassOf(const v1::GenerateRequest& request, uint32_t steps) {
  if (!request.has_hires()) return {};
  const v1::HiresPass& hires = request.hires();
  double factor = hires.has_factor() ? hires.factor() : kDefaultHiresFactor;
  if (hires.has_width() && request.has_width()) {
    factor = static_cast<double>(hires.width()) / request.width();
  }
  if (!(factor >= 1 && factor <= kMaxHiresFactor)) factor = kDefaultHiresFactor;
  return {.steps = static_cast<uint64_t>(std::max<int64_t>(
              1, StepsWalked(hires.has_steps() ? hires.steps() : steps,
                             StrengthOf(hires)))),
          .cost = factor * factor};
}

}  // namespace

json FactsOf(const v1::Image& image) {
  json facts = {{"seed", image.seed()}};
  if (image.has_score()) facts["score"] = image.score();
  if (!image.latents().empty()) facts["latents"] = image.latents();
  if (!image.safety().empty()) facts["safety"] = image.safety();
  for (const std::string& left_out : image.approximations()) {
    facts["approximations"].push_back(left_out);
  }
  return facts;
}

StreamListener Collecting(EventEar ear,
                          std::function<void(absl::StatusOr<Painting>)> done) {
  const auto painting = std::make_shared<Painting>();
  return {.on_event =
              [painting, ear = std::move(ear)](v1::JobEvent event, EventTurn) {
                if (ear) ear(event);
                Collect(std::move(event), *painting);
              },
          .on_end =
              [painting, done = std::move(done)](const absl::Status& status) {
                if (!status.ok()) return done(status);
                done(std::move(*painting));
              }};
}

void Paint(Backend& backend, const CallerKeys& keys,
           const v1::GenerateRequest& request, HttpExchange& exchange,
           EventEar ear, std::function<void(absl::StatusOr<Painting>)> done) {
  exchange.OnGone(backend.Generate(
      keys, request, Collecting(std::move(ear), std::move(done))));
}

void ReadCommonFields(FieldReader& reader, const ModelNames& names,
                      v1::GenerateRequest& request) {
  request.set_prompt(reader.Text("prompt").value_or(""));
  request.set_negative_prompt(reader.Text("negative_prompt").value_or(""));
  request.set_model(names.Resolve(reader.Text("model").value_or("")));
  if (const auto seed = reader.Seed("seed")) request.set_seed(*seed);
  if (const auto steps = reader.Whole("num_inference_steps", 0, kMaxCount)) {
    request.set_steps(*steps);
  }
  if (const auto scale =
          reader.Number("guidance_scale", 0, kMaxGuidanceScale)) {
    request.set_guidance_scale(*scale);
  }
  if (const auto rescale = reader.Number("guidance_rescale", 0, 1)) {
    request.set_guidance_rescale(*rescale);
  }
  if (const auto eta = reader.Number("eta", 0, 1)) request.set_eta(*eta);
  if (const auto skip = reader.Whole("clip_skip", 0, kMaxCount)) {
    request.set_clip_skip(*skip);
  }
  ReadSampler(reader, request);
  ReadLoras(reader, request);
  ReadPictureFields(reader, request);
  ReadSteeringFields(reader, request);
  ReadModelFields(reader, request);
}

std::vector<uint32_t> PreviewSteps(const v1::GenerateRequest& request,
                                   uint32_t steps, int count) {
  uint32_t walked = steps;
  if (request.has_image_to_image()) {
    const auto& from = request.image_to_image();
    const double strength = from.has_strength()    ? from.strength()
                            : from.has_inversion() ? 1
                                                   : 0.8;
    walked = StepsWalked(steps, std::clamp(strength, 0.0, 1.0));
  }
  const SecondPass second = SecondPassOf(request, steps);
  const double work = walked + second.steps * second.cost;
  std::vector<uint32_t> due;
  for (int i = 1; i <= count; ++i) {
    const double at = work * i / (count + 1);
    const double behind =
        at <= walked ? at : walked + (at - walked) / second.cost;
    const uint64_t step = steps - walked + static_cast<uint64_t>(behind);
    if (step <= steps - walked || step >= steps + second.steps) continue;
    if (due.empty() || step > due.back()) {
      due.push_back(static_cast<uint32_t>(step));
    }
  }
  return due;
}

std::string RequestIdOf(const std::string& idempotency_key) {
  if (IsUuid(idempotency_key)) return idempotency_key;
  std::string digest = Sha256(idempotency_key).substr(0, 16);
  // Version 8, made by a rule of one's own (RFC 9562, section 5.8).
  digest[6] = static_cast<char>((digest[6] & 0x0F) | 0x80);
  digest[8] = static_cast<char>((digest[8] & 0x3F) | 0x80);
  const std::string hex = absl::BytesToHexString(digest);
  return absl::StrCat(hex.substr(0, 8), "-", hex.substr(8, 4), "-",
                      hex.substr(12, 4), "-", hex.substr(16, 4), "-",
                      hex.substr(20));
}

std::string ServerSentEvent(absl::string_view event, uint64_t id,
                            absl::string_view data) {
  // The data is JSON, which has no line ends.
  return absl::StrCat("event: ", event, "\n",
                      id > 0 ? absl::StrCat("id: ", id, "\n") : "",
                      "data: ", data, "\n\n");
}

uint64_t LastEventId(const HttpRequest& request) {
  uint64_t id = 0;
  return absl::SimpleAtoi(request.Header("last-event-id"), &id) ? id : 0;
}

HttpResponse EventStreamHead() {
  // Proxies that gather output would hold events back.
  return {
      .content_type = "text/event-stream",
      .headers = {{"cache-control", "no-store"}, {"x-accel-buffering", "no"}}};
}

}  // namespace genzo
