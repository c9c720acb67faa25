#include "worker/sampler/sampler_table.h"

#include <algorithm>
#include <cmath>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "worker/sampler/ddim_inverse_sampler.h"
#include "worker/sampler/ddim_sampler.h"
#include "worker/sampler/dpmpp_multistep_sampler.h"
#include "worker/sampler/euler_ancestral_sampler.h"
#include "worker/sampler/euler_sampler.h"
#include "worker/sampler/flow_euler_sampler.h"
#include "worker/sampler/flow_heun_sampler.h"
#include "worker/sampler/pndm_sampler.h"

namespace genzo {
namespace {

template <typename Sampler>
std::unique_ptr<SamplerRun> Create(const SchedulerConfig& config,
                                   const SamplerOptions& options,
                                   const SamplerStart& start) {
  return std::make_unique<Sampler>(config, options, start);
}

int OneStep(const SchedulerConfig& /*config*/) { return 1; }

constexpr auto kDefault = SigmaSchedule::kDefault;
constexpr auto kKarras = SigmaSchedule::kKarras;
constexpr SigmaSchedule kTimesteps[] = {kDefault};
constexpr SigmaSchedule kSigmas[] = {
    kDefault, kKarras, SigmaSchedule::kExponential, SigmaSchedule::kBeta};

constexpr SamplerSpec kSamplers[] = {
    {v1::SAMPLER_DDIM, "ddim", "DDIMScheduler", kTimesteps,
     /*inverts=*/false, OneStep, DdimSampler::Plan, Create<DdimSampler>},
    {v1::SAMPLER_PNDM, "pndm", "PNDMScheduler", kTimesteps,
     /*inverts=*/false, PndmSampler::MinSteps, PndmSampler::Plan,
     Create<PndmSampler>},
    {v1::SAMPLER_EULER, "euler", "EulerDiscreteScheduler", kSigmas,
     /*inverts=*/false, OneStep, EulerSampler::Plan, Create<EulerSampler>},
    {v1::SAMPLER_EULER_ANCESTRAL, "euler_ancestral",
     "EulerAncestralDiscreteScheduler", kSigmas, /*inverts=*/false, OneStep,
     EulerAncestralSampler::Plan, Create<EulerAncestralSampler>},
    {v1::SAMPLER_DPMPP_2M, "dpmpp_2m", "DPMSolverMultistepScheduler", kSigmas,
     /*inverts=*/false, OneStep, DpmppMultistepSampler::Plan,
     Create<DpmppMultistepSampler>},
    {v1::SAMPLER_FLOW_EULER, "flow_euler", "FlowMatchEulerDiscreteScheduler",
     kSigmas, /*inverts=*/false, OneStep, FlowEulerSampler::Plan,
     Create<FlowEulerSampler>},
    {v1::SAMPLER_FLOW_HEUN, "flow_heun", "FlowMatchHeunDiscreteScheduler",
     kSigmas, /*inverts=*/false, OneStep, FlowHeunSampler::Plan,
     Create<FlowHeunSampler>},
};

// For our own use: no request may ask for it.
constexpr SamplerSpec kDdimInverse = {
    v1::SAMPLER_UNSPECIFIED,  "ddim_inverse",
    "DDIMInverseScheduler",   kTimesteps,
    /*inverts=*/true,         OneStep,
    DdimInverseSampler::Plan, Create<DdimInverseSampler>};

// Null if there is none.
const SamplerSpec* Find(SamplerId id) {
  const auto* const spec =
      std::find_if(std::begin(kSamplers), std::end(kSamplers),
                   [&](const SamplerSpec& row) { return row.id == id; });
  return spec == std::end(kSamplers) ? nullptr : spec;
}

const SamplerSpec* Find(const std::string& scheduler_class) {
  if (scheduler_class == kDdimInverse.scheduler_class) return &kDdimInverse;
  const auto* const spec = std::find_if(
      std::begin(kSamplers), std::end(kSamplers), [&](const SamplerSpec& row) {
        return row.scheduler_class == scheduler_class;
      });
  return spec == std::end(kSamplers) ? nullptr : spec;
}

absl::Status NotKnown(SamplerId id) {
  return absl::InvalidArgumentError(
      absl::StrCat("sampler ", static_cast<int>(id), " is not known"));
}

absl::Status NotSupported(const std::string& scheduler_class) {
  return absl::UnimplementedError(absl::StrCat(
      "scheduler class \"", scheduler_class, "\" is not supported"));
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
  if (steps < min_steps || steps > config.num_train_timesteps) {
    return absl::InvalidArgumentError(
        absl::StrCat("steps ", steps, " is not between ", min_steps, " and ",
                     config.num_train_timesteps, " for sampler ", spec.name));
  }
  const int max_first_step = spec.inverts ? 0 : steps - 1;
  if (first_step < 0 || first_step > max_first_step) {
    return absl::InvalidArgumentError(
        absl::StrCat("first step ", first_step, " is not between 0 and ",
                     max_first_step, " for sampler ", spec.name));
  }
  if (spec.plan(config, steps, first_step).evaluations() == 0) {
    return absl::UnimplementedError(
        absl::StrCat("the scheduler configuration leaves sampler ", spec.name,
                     " no timestep from step ", first_step, " of ", steps));
  }
  return absl::OkStatus();
}

absl::Status CheckSigmas(const SamplerSpec& spec, const SchedulerConfig& config,
                         const SamplerOptions& options) {
  const std::vector<double>& sigmas = options.sigmas;
  if (sigmas.empty()) return absl::OkStatus();
  if (config.prediction_type != PredictionType::kFlow) {
    return absl::InvalidArgumentError(
        absl::StrCat("sampler ", spec.name, " takes no sigmas"));
  }
  if (sigmas.size() != static_cast<size_t>(options.steps)) {
    return absl::InvalidArgumentError(
        absl::StrCat(sigmas.size(), " sigmas are not one for each of ",
                     options.steps, " steps"));
  }
  double last = std::nextafter(1, 2);
  for (const double sigma : sigmas) {
    if (!(sigma > 0 && sigma < last)) {
      return absl::InvalidArgumentError(
          absl::StrCat("sigma ", sigma, " is not over 0 and below ", last));
    }
    last = sigma;
  }
  return absl::OkStatus();
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
  if (schedule == kKarras) config->sigma_spacing = SigmaSpacing::kKarras;
  if (schedule == SigmaSchedule::kExponential) {
    config->sigma_spacing = SigmaSpacing::kExponential;
  }
  if (schedule == SigmaSchedule::kBeta) {
    config->sigma_spacing = SigmaSpacing::kBeta;
  }
  absl::Status sound = CheckSigmas(spec, *config, options);
  if (!sound.ok()) return sound;
  config->sigmas = options.sigmas;
  config->image_tokens = options.image_tokens;
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

absl::Span<const SamplerSpec> Samplers() { return kSamplers; }

absl::StatusOr<SamplerId> DefaultSampler(const nlohmann::json& scheduler) {
  const std::string name = scheduler.is_object()
                               ? scheduler.value("_class_name", "")
                               : std::string();
  const SamplerSpec* const spec = Find(name);
  if (spec == nullptr || spec->inverts) return NotSupported(name);
  return spec->id;
}

absl::Span<const SigmaSchedule> SchedulesOf(SamplerId id) {
  const SamplerSpec* const spec = Find(id);
  return spec == nullptr ? absl::Span<const SigmaSchedule>() : spec->schedules;
}

SigmaSchedule FromProto(v1::NoiseSchedule schedule) {
  switch (schedule) {
    case v1::NOISE_SCHEDULE_KARRAS:
      return SigmaSchedule::kKarras;
    case v1::NOISE_SCHEDULE_EXPONENTIAL:
      return SigmaSchedule::kExponential;
    case v1::NOISE_SCHEDULE_BETA:
      return SigmaSchedule::kBeta;
    default:
      return SigmaSchedule::kDefault;
  }
}

v1::NoiseSchedule ToProto(SigmaSchedule schedule) {
  switch (schedule) {
    case SigmaSchedule::kKarras:
      return v1::NOISE_SCHEDULE_KARRAS;
    case SigmaSchedule::kExponential:
      return v1::NOISE_SCHEDULE_EXPONENTIAL;
    case SigmaSchedule::kBeta:
      return v1::NOISE_SCHEDULE_BETA;
    case SigmaSchedule::kDefault:
      break;
  }
  return v1::NOISE_SCHEDULE_UNSPECIFIED;
}

const char* NameOf(SigmaSchedule schedule) {
  switch (schedule) {
    case SigmaSchedule::kDefault:
      return "default";
    case SigmaSchedule::kKarras:
      return "karras";
    case SigmaSchedule::kExponential:
      return "exponential";
    case SigmaSchedule::kBeta:
      return "beta";
  }
  return "?";
}

absl::StatusOr<std::unique_ptr<SamplerRun>> CreateSampler(
    SamplerId id, SigmaSchedule schedule, const nlohmann::json& scheduler,
    const SamplerOptions& options, const SamplerStart& start) {
  const SamplerSpec* const spec = Find(id);
  if (spec == nullptr) return NotKnown(id);
  return CreateRow(*spec, schedule, scheduler, options, start);
}

absl::StatusOr<std::unique_ptr<SamplerRun>> CreateSamplerOfClass(
    const std::string& scheduler_class, SigmaSchedule schedule,
    const nlohmann::json& scheduler, const SamplerOptions& options,
    const SamplerStart& start) {
  const SamplerSpec* const spec = Find(scheduler_class);
  if (spec == nullptr) return NotSupported(scheduler_class);
  return CreateRow(*spec, schedule, scheduler, options, start);
}

absl::StatusOr<WalkPlan> PlanOf(SamplerId id, SigmaSchedule schedule,
                                const nlohmann::json& scheduler,
                                const SamplerOptions& options, int first_step) {
  const SamplerSpec* const spec = Find(id);
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
