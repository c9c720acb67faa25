#include "worker/pipeline/pipeline_traits.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/request_rules.h"
#include "base/sampler_spelling.h"
#include "worker/weights/json_config.h"

namespace genzo {
namespace {

// Of genzo.json.
constexpr const char* kDefaultKeys[] = {"steps", "guidance_scale", "sampler",
                                        "schedule"};
constexpr const char* kScheduleKeys[] = {
    "prediction_type", "rescale_betas_zero_snr", "timestep_spacing"};

// The sampler of that name among those that the model can use.
void ReadSampler(JsonConfig& json, PipelineTraits& traits) {
  const std::string name = json.String("sampler", "");
  if (name.empty()) return;
  const SamplerChoice choice = FindSampler(name).value_or(SamplerChoice());
  std::vector<std::string> known;
  for (const SamplerSpec& spec : Samplers()) {
    const bool usable =
        std::count(traits.samplers.begin(), traits.samplers.end(), spec.id) > 0;
    if (!usable) continue;
    if (choice.sampler == spec.id) {
      traits.defaults.sampler = spec.id;
      traits.defaults.schedule = FromProto(choice.schedule);
      return;
    }
    known.push_back(spec.name);
  }
  json.Fail(absl::StatusCode::kInvalidArgument, "sampler",
            absl::StrCat("is not one of ", absl::StrJoin(known, ", ")));
}

void ReadSigmaSchedule(JsonConfig& json, PipelineTraits& traits) {
  const std::string name = json.String("schedule", "");
  if (name.empty()) return;
  std::vector<std::string> known;
  const auto choice = FindSchedule(name);
  for (const SigmaSchedule schedule :
       traits.needs[traits.defaults.sampler].schedules) {
    if (choice.has_value() ? FromProto(*choice) == schedule
                           : name == NameOf(schedule)) {
      traits.defaults.schedule = schedule;
      return;
    }
    known.push_back(NameOf(schedule));
  }
  json.Fail(absl::StatusCode::kInvalidArgument, "schedule",
            absl::StrCat("is not one of the sampler's: ",
                         absl::StrJoin(known, ", ")));
}

// Through two points of it; more steps than that have no other beginning.
EvaluationLine LineOf(SamplerId id, const nlohmann::json& scheduler) {
  constexpr int kProbed = 10;
  const auto at = [&](int steps) {
    return EvaluationsOf(id, SigmaSchedule::kDefault, scheduler, steps,
                         /*first_step=*/0)
        .value_or(steps);
  };
  const int per_step = at(kProbed + 1) - at(kProbed);
  return {.per_step = per_step, .extra = at(kProbed) - per_step * kProbed};
}

}  // namespace

absl::Status ReadSchedule(const nlohmann::json& scheduler,
                          PipelineTraits& traits) {
  const auto own = DefaultSampler(scheduler);
  if (!own.ok()) return own.status();
  traits.samplers = {*own};
  for (const SamplerSpec& spec : Samplers()) {
    const auto config = ParseSchedulerConfig(scheduler, spec.scheduler_class);
    if (spec.id == *own) {
      if (!config.ok()) return config.status();
      traits.max_steps = config->num_train_timesteps;
    } else if (config.ok()) {
      traits.samplers.push_back(spec.id);
    }
  }
  for (const SamplerId id : traits.samplers) {
    traits.evaluations[id] = LineOf(id, scheduler);
    traits.needs[id] = NeedsOf(id, scheduler).value_or(SamplerNeeds());
  }
  traits.defaults.sampler = *own;
  traits.defaults.steps = std::min(traits.defaults.steps, traits.max_steps);
  return absl::OkStatus();
}

absl::Status ChangeSchedule(const TextFile& file, nlohmann::json& scheduler) {
  if (!file.Exists()) return absl::OkStatus();
  auto json = JsonConfig::ReadFile(file);
  if (!json.ok()) return json.status();
  for (const char* key : kScheduleKeys) {
    const auto found = json->object().find(key);
    if (found != json->object().end()) scheduler[key] = *found;
  }
  return absl::OkStatus();
}

absl::Status ReadDefaults(const TextFile& file, PipelineTraits& traits) {
  if (!file.Exists()) return absl::OkStatus();
  auto json = JsonConfig::ReadFile(file);
  if (!json.ok()) return json.status();
  std::vector<std::string> known(std::begin(kDefaultKeys),
                                 std::end(kDefaultKeys));
  known.insert(known.end(), std::begin(kScheduleKeys), std::end(kScheduleKeys));
  for (const auto& item : json->object().items()) {
    if (std::find(known.begin(), known.end(), item.key()) == known.end()) {
      json->Fail(absl::StatusCode::kInvalidArgument, item.key(),
                 absl::StrCat("is not one of ", absl::StrJoin(known, ", ")));
    }
  }
  PipelineDefaults& defaults = traits.defaults;
  defaults.steps = static_cast<int>(json->Int("steps", defaults.steps,
                                              /*min=*/1, traits.max_steps));
  defaults.guidance_scale =
      json->Number("guidance_scale", defaults.guidance_scale);
  if (!(defaults.guidance_scale >= 0 &&
        defaults.guidance_scale <= kMaxGuidanceScale)) {
    json->Fail(absl::StatusCode::kInvalidArgument, "guidance_scale",
               absl::StrCat("is not between 0 and ", kMaxGuidanceScale));
  }
  ReadSampler(*json, traits);
  ReadSigmaSchedule(*json, traits);
  return json->status();
}

}  // namespace genzo
