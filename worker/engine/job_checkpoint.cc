#include "worker/engine/job_checkpoint.h"

#include <limits>

#include "absl/strings/str_cat.h"
#include "worker/sampler/sampler_state.h"

namespace genzo {
namespace {

constexpr char kImagesFailed[] = "images failed";
constexpr char kStepsRun[] = "steps run";

// Of one image.
enum ImageState : int64_t { kFromTheBeginning, kHasRun, kHasEnded };
std::string StateField(int image) { return absl::StrCat("image ", image); }
std::string RunField(int image) { return absl::StrCat("run ", image); }

}  // namespace

std::string JobCheckpoint::Serialize(int images) const {
  SamplerState fields;
  fields.SetInteger(kImagesFailed, images_failed);
  fields.SetInteger(kStepsRun, steps_run);
  for (int image = 0; image < images; ++image) {
    const auto run = runs.find(image);
    ImageState state = kFromTheBeginning;
    if (run != runs.end()) {
      state = kHasRun;
      fields.SetText(RunField(image), run->second);
    }
    if (ended.count(image) > 0) state = kHasEnded;
    fields.SetInteger(StateField(image), state);
  }
  return fields.Serialize();
}

absl::StatusOr<JobCheckpoint> JobCheckpoint::Parse(const std::string& bytes,
                                                   int images) {
  const auto fields = SamplerState::Parse(bytes);
  if (!fields.ok()) return fields.status();
  StateReader reader(*fields);
  JobCheckpoint parsed;
  parsed.images_failed =
      static_cast<uint32_t>(reader.Integer(kImagesFailed, 0, images));
  parsed.steps_run = static_cast<uint32_t>(
      reader.Integer(kStepsRun, 0, std::numeric_limits<uint32_t>::max()));
  for (int image = 0; image < images; ++image) {
    switch (reader.Integer(StateField(image), kFromTheBeginning, kHasEnded)) {
      case kHasRun:
        parsed.runs[image] = reader.Text(RunField(image));
        break;
      case kHasEnded:
        parsed.ended.insert(image);
        break;
    }
  }
  if (!reader.ok()) return reader.status();
  return parsed;
}

}  // namespace genzo
