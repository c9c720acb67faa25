#include "worker/sampler/create_sampler.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "worker/sampler/noise_source.h"
#include "worker/sampler/scheduler_class.h"
#include "worker/sampler/scheduler_config.h"
#include "worker/sampler/sigmas.h"

namespace genzo {
namespace {

constexpr auto kDefault = SigmaSchedule::kDefault;

// Null if `schedule` goes with a network trained as the file's, else what it
// was trained for.
const char* Unspaced(const SchedulerConfig& config, SigmaSchedule schedule) {
  const SigmaSpacing spacing = SpacingOf(schedule);
  // There are no trained levels to choose among.
  if (config.sigma_data.has_value() && IsOfTable(spacing)) return "EDM";
  const bool flow = config.prediction_type == PredictionType::kFlow;
  return flow && !GoesWithFlow(schedule) ? "flow matching" : nullptr;
}

absl::Status NotKnown(SamplerId id) {
  return absl::InvalidArgumentError(
      absl::StrCat("sampler ", static_cast<int>(id), " is not known"));
}

absl::Status CheckSchedule(const SamplerSpec& spec, SigmaSchedule schedule) {
  if (std::count(spec.schedules.begin(), spec.schedules.end(), schedule) > 0) {
    return absl::OkStatus();
  }
  const std::string known = absl::StrJoin(
      spec.schedules, ", ", [](std::string* out, SigmaSchedule one) {
        absl::StrAppend(out, NameOf(one));
      });
  return absl::InvalidArgumentError(absl::StrCat("schedule ", NameOf(schedule),
                                                 " is not one of sampler ",
                                                 spec.name, ": ", known));
}

absl::Status CheckSteps(const SamplerSpec& spec, const SchedulerConfig& config,
                        int steps, int first_step) {
  const int min_steps = spec.min_steps(config);
  const int max_steps = spec.max_steps(config);
  if (steps < min_steps || steps > max_steps) {
    return absl::InvalidArgumentError(
        absl::StrCat("steps ", steps, " is not between ", min_steps, " and ",
                     max_steps, " for sampler ", spec.name));
  }
  if (first_step < 0 || first_step >= steps) {
    return absl::InvalidArgumentError(
        absl::StrCat("first step ", first_step, " is not between 0 and ",
                     steps - 1, " for sampler ", spec.name));
  }
  if (spec.plan(config, steps, first_step).evaluations() == 0) {
    return absl::UnimplementedError(
        absl::StrCat("the scheduler configuration leaves sampler ", spec.name,
                     " no timestep from step ", first_step, " of ", steps));
  }
  return absl::OkStatus();
}

// Whether `values` is one for each step, falling, over `min` and at most `max`.
template <typename Value>
absl::Status CheckFalling(const char* what, const std::vector<Value>& values,
                          int steps, Value min, Value max) {
  if (values.size() != static_cast<size_t>(steps)) {
    return absl::InvalidArgumentError(absl::StrCat(values.size(), " ", what,
                                                   "s are not one for each of ",
                                                   steps, " steps"));
  }
  for (size_t i = 0; i < values.size(); ++i) {
    if (!(values[i] > min && values[i] <= max)) {
      return absl::InvalidArgumentError(absl::StrCat(
          what, " ", values[i], " is not over ", min, " and at most ", max));
    }
    if (i > 0 && values[i] >= values[i - 1]) {
      return absl::InvalidArgumentError(
          absl::StrCat(what, " ", values[i], " is not below ", values[i - 1],
                       ", which is before it"));
    }
  }
  return absl::OkStatus();
}

bool TakesSigmas(const SamplerSpec& spec) {
  return spec.takes == Explicit::kEither || spec.takes == Explicit::kSigmas;
}

bool TakesTimesteps(const SamplerSpec& spec, const SchedulerConfig& config) {
  return config.prediction_type != PredictionType::kFlow &&
         !config.sigma_data.has_value() &&
         (spec.takes == Explicit::kEither ||
          spec.takes == Explicit::kTimesteps);
}

absl::Status CheckExplicit(const SamplerSpec& spec,
                           const SchedulerConfig& config,
                           SigmaSchedule schedule,
                           const SamplerOptions& options) {
  const bool sigmas = !options.sigmas.empty();
  const bool timesteps = !options.timesteps.empty();
  if (!sigmas && !timesteps) return absl::OkStatus();
  const auto fault = [&](absl::string_view message) {
    return absl::InvalidArgumentError(
        absl::StrCat("sampler ", spec.name, " takes ", message));
  };
  if (sigmas && timesteps) return fault("sigmas or timesteps, not both");
  const bool flow = config.prediction_type == PredictionType::kFlow;
  // In flow matching a schedule of ends goes from the first to the last.
  const bool between = flow && IsOfEnds(config.sigma_spacing);
  if (schedule != kDefault && !between) {
    return fault("sigmas or a schedule, not both");
  }
  if (sigmas) {
    if (!TakesSigmas(spec)) return fault("no sigmas");
    return CheckFalling("sigma", options.sigmas, options.steps, 0.0,
                        flow ? 1.0 : NoiseSource::kMaxSigma);
  }
  if (!TakesTimesteps(spec, config)) return fault("no timesteps");
  return CheckFalling("timestep", options.timesteps, options.steps, -1,
                      config.num_train_timesteps - 1);
}

absl::Status CheckStart(const SamplerSpec& spec, const SamplerStart& start) {
  const auto fault = [&](absl::string_view message) {
    return absl::InvalidArgumentError(
        absl::StrCat("sampler ", spec.name, " ", message));
  };
  const bool has_sample = start.sample.defined();
  if (spec.inverts) {
    return has_sample ? absl::OkStatus() : fault("needs a sample to start at");
  }
  if (!start.noise.defined()) return fault("needs noise to start from");
  if (!has_sample && start.first_step > 0) {
    return fault(
        absl::StrCat("needs a sample to start at step ", start.first_step));
  }
  if (has_sample && start.sample.sizes() != start.noise.sizes()) {
    return fault("has a sample and noise of different shapes");
  }
  return absl::OkStatus();
}

// What the rest of a row is given.
absl::StatusOr<SchedulerConfig> ConfigOf(const SamplerSpec& spec,
                                         SigmaSchedule schedule,
                                         const nlohmann::json& scheduler,
                                         const SamplerOptions& options,
                                         int first_step) {
  const absl::Status known = CheckSchedule(spec, schedule);
  if (!known.ok()) return known;
  auto config = ParseSchedulerConfig(scheduler, spec.scheduler_class);
  if (!config.ok()) return config.status();
  const bool flow = config->prediction_type == PredictionType::kFlow;
  if (const char* const other = Unspaced(*config, schedule)) {
    return absl::InvalidArgumentError(
        absl::StrCat("schedule ", NameOf(schedule), " is not for ", other));
  }
  if (spec.fix != nullptr) spec.fix(*config);
  if (schedule != kDefault) config->sigma_spacing = SpacingOf(schedule);
  absl::Status sound = CheckExplicit(spec, *config, schedule, options);
  if (!sound.ok()) return sound;
  config->sigmas = options.sigmas;
  config->timesteps = options.timesteps;
  config->image_tokens = options.image_tokens;
  config->sdxl = options.sdxl;
  const bool own_levels = !options.sigmas.empty() || !options.timesteps.empty();
  if (own_levels && !flow) config->sigma_spacing = SigmaSpacing::kTimesteps;
  sound = CheckSteps(spec, *config, options.steps, first_step);
  if (!sound.ok()) return sound;
  return config;
}

absl::StatusOr<std::unique_ptr<SamplerRun>> CreateRow(
    const SamplerSpec& spec, SigmaSchedule schedule,
    const nlohmann::json& scheduler, const SamplerOptions& options,
    const SamplerStart& start) {
  const auto config =
      ConfigOf(spec, schedule, scheduler, options, start.first_step);
  if (!config.ok()) return config.status();
  if (config->dynamic_shifting && options.image_tokens <= 0) {
    return absl::InvalidArgumentError(absl::StrCat(
        "sampler ", spec.name, " shifts by the image's tokens and was told ",
        options.image_tokens));
  }
  const absl::Status sound = CheckStart(spec, start);
  if (!sound.ok()) return sound;
  return spec.create(*config, options, start);
}

}  // namespace

absl::StatusOr<std::unique_ptr<SamplerRun>> CreateSampler(
    SamplerId id, SigmaSchedule schedule, const nlohmann::json& scheduler,
    const SamplerOptions& options, const SamplerStart& start) {
  const SamplerSpec* const spec = FindSampler(id);
  if (spec == nullptr) return NotKnown(id);
  return CreateRow(*spec, schedule, scheduler, options, start);
}

absl::StatusOr<std::unique_ptr<SamplerRun>> CreateSamplerOfClass(
    const std::string& scheduler_class, SigmaSchedule schedule,
    const nlohmann::json& scheduler, const SamplerOptions& options,
    const SamplerStart& start) {
  const SamplerSpec* const spec =
      FindSamplerOfClass(scheduler_class, scheduler);
  if (spec == nullptr) return UnsupportedScheduler(scheduler_class);
  return CreateRow(*spec, schedule, scheduler, options, start);
}

absl::StatusOr<SamplerNeeds> NeedsOf(SamplerId id,
                                     const nlohmann::json& scheduler) {
  const SamplerSpec* const spec = FindSampler(id);
  if (spec == nullptr) return NotKnown(id);
  auto config = ParseSchedulerConfig(scheduler, spec->scheduler_class);
  if (!config.ok()) return config.status();
  if (spec->fix != nullptr) spec->fix(*config);
  SamplerNeeds needs = {.min_steps = spec->min_steps(*config),
                        .takes_sigmas = TakesSigmas(*spec),
                        .takes_timesteps = TakesTimesteps(*spec, *config),
                        .schedules = {}};
  for (const SigmaSchedule schedule : spec->schedules) {
    if (Unspaced(*config, schedule) == nullptr) {
      needs.schedules.push_back(schedule);
    }
  }
  return needs;
}

absl::StatusOr<WalkPlan> PlanOf(SamplerId id, SigmaSchedule schedule,
                                const nlohmann::json& scheduler,
                                const SamplerOptions& options, int first_step) {
  const SamplerSpec* const spec = FindSampler(id);
  if (spec == nullptr) return NotKnown(id);
  const auto config = ConfigOf(*spec, schedule, scheduler, options, first_step);
  if (!config.ok()) return config.status();
  return spec->plan(*config, options.steps, first_step);
}

absl::StatusOr<int> EvaluationsOf(SamplerId id, SigmaSchedule schedule,
                                  const nlohmann::json& scheduler, int steps,
                                  int first_step) {
  const auto plan =
      PlanOf(id, schedule, scheduler, {.steps = steps}, first_step);
  if (!plan.ok()) return plan.status();
  return plan->evaluations();
}

}  // namespace genzo
