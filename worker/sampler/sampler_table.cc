#include "worker/sampler/sampler_table.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "worker/sampler/ddim_inverse_sampler.h"
#include "worker/sampler/ddim_sampler.h"
#include "worker/sampler/ddpm_sampler.h"
#include "worker/sampler/deis_sampler.h"
#include "worker/sampler/dpm2_ancestral_sampler.h"
#include "worker/sampler/dpm2_sampler.h"
#include "worker/sampler/dpmpp_2s_ancestral_sampler.h"
#include "worker/sampler/dpmpp_multistep_sampler.h"
#include "worker/sampler/dpmpp_sde_sampler.h"
#include "worker/sampler/dpmpp_singlestep_sampler.h"
#include "worker/sampler/edm_heun_sampler.h"
#include "worker/sampler/euler_ancestral_sampler.h"
#include "worker/sampler/euler_sampler.h"
#include "worker/sampler/flow_euler_sampler.h"
#include "worker/sampler/flow_heun_sampler.h"
#include "worker/sampler/heun_sampler.h"
#include "worker/sampler/lcm_sampler.h"
#include "worker/sampler/lms_sampler.h"
#include "worker/sampler/pndm_sampler.h"
#include "worker/sampler/score_ve_sampler.h"
#include "worker/sampler/score_vp_sampler.h"
#include "worker/sampler/sigmas.h"
#include "worker/sampler/tcd_sampler.h"
#include "worker/sampler/unipc_sampler.h"

namespace genzo {
namespace {

// What NoiseSource::Between() has noise for.
constexpr double kMaxExplicitSigma = 32768;

struct ScheduleRow {
  SigmaSchedule schedule;
  const char* name;
  v1::NoiseSchedule proto;
  SigmaSpacing spacing;
};

constexpr auto kDefault = SigmaSchedule::kDefault;
constexpr ScheduleRow kScheduleRows[] = {
    {kDefault, "default", v1::NOISE_SCHEDULE_UNSPECIFIED,
     SigmaSpacing::kTimesteps},
    {SigmaSchedule::kKarras, "karras", v1::NOISE_SCHEDULE_KARRAS,
     SigmaSpacing::kKarras},
    {SigmaSchedule::kExponential, "exponential", v1::NOISE_SCHEDULE_EXPONENTIAL,
     SigmaSpacing::kExponential},
    {SigmaSchedule::kBeta, "beta", v1::NOISE_SCHEDULE_BETA,
     SigmaSpacing::kBeta},
    {SigmaSchedule::kSgmUniform, "sgm_uniform", v1::NOISE_SCHEDULE_SGM_UNIFORM,
     SigmaSpacing::kSgmUniform},
    {SigmaSchedule::kSimple, "simple", v1::NOISE_SCHEDULE_SIMPLE,
     SigmaSpacing::kSimple},
    {SigmaSchedule::kDdimUniform, "ddim_uniform",
     v1::NOISE_SCHEDULE_DDIM_UNIFORM, SigmaSpacing::kDdimUniform},
    {SigmaSchedule::kAlignYourSteps, "align_your_steps",
     v1::NOISE_SCHEDULE_ALIGN_YOUR_STEPS, SigmaSpacing::kAlignYourSteps},
};

// The first where there is none.
const ScheduleRow& RowOf(SigmaSchedule schedule) {
  const auto* const row = std::find_if(
      std::begin(kScheduleRows), std::end(kScheduleRows),
      [&](const ScheduleRow& one) { return one.schedule == schedule; });
  return row == std::end(kScheduleRows) ? kScheduleRows[0] : *row;
}

template <typename Sampler>
std::unique_ptr<SamplerRun> Create(const SchedulerConfig& config,
                                   const SamplerOptions& options,
                                   const SamplerStart& start) {
  return std::make_unique<Sampler>(config, options, start);
}

int OneStep(const SchedulerConfig& /*config*/) { return 1; }

int AllSteps(const SchedulerConfig& config) {
  return config.num_train_timesteps;
}

// DPM-Solver's rows differ in order and noise.
template <int order, bool stochastic>
void FixDpm(SchedulerConfig& config) {
  config.solver_order = order == 3 ? 3 : std::min(config.solver_order, order);
  config.stochastic_sampling = stochastic;
}

constexpr SigmaSchedule kTimesteps[] = {kDefault};
constexpr SigmaSchedule kFlow[] = {kDefault,
                                   SigmaSchedule::kKarras,
                                   SigmaSchedule::kExponential,
                                   SigmaSchedule::kBeta,
                                   SigmaSchedule::kSgmUniform,
                                   SigmaSchedule::kSimple};
constexpr SigmaSchedule kSigmas[] = {kDefault,
                                     SigmaSchedule::kKarras,
                                     SigmaSchedule::kExponential,
                                     SigmaSchedule::kBeta,
                                     SigmaSchedule::kSgmUniform,
                                     SigmaSchedule::kSimple,
                                     SigmaSchedule::kDdimUniform,
                                     SigmaSchedule::kAlignYourSteps};
constexpr auto kEither = Explicit::kEither;
constexpr char kMultistep[] = "DPMSolverMultistepScheduler";

// A row as most are.
template <typename Sampler>
constexpr SamplerSpec Row(SamplerId id, const char* name,
                          const char* scheduler_class,
                          absl::Span<const SigmaSchedule> schedules,
                          Explicit takes,
                          void (*fix)(SchedulerConfig&) = nullptr) {
  return {.id = id,
          .name = name,
          .scheduler_class = scheduler_class,
          .schedules = schedules,
          .inverts = false,
          .min_steps = OneStep,
          .max_steps = AllSteps,
          .fix = fix,
          .takes = takes,
          .plan = Sampler::Plan,
          .create = Create<Sampler>};
}

template <typename Sampler>
constexpr SamplerSpec Distilled(SamplerId id, const char* name,
                                const char* scheduler_class) {
  SamplerSpec row =
      Row<Sampler>(id, name, scheduler_class, kTimesteps, Explicit::kTimesteps);
  row.max_steps = LcmSampler::MaxSteps;
  return row;
}

constexpr SamplerSpec Pndm() {
  SamplerSpec row = Row<PndmSampler>(v1::SAMPLER_PNDM, "pndm", "PNDMScheduler",
                                     kTimesteps, Explicit::kNone);
  row.min_steps = PndmSampler::MinSteps;
  return row;
}

constexpr SamplerSpec kSamplers[] = {
    Row<DdimSampler>(v1::SAMPLER_DDIM, "ddim", "DDIMScheduler", kTimesteps,
                     Explicit::kTimesteps),
    Pndm(),
    Row<EulerSampler>(v1::SAMPLER_EULER, "euler", "EulerDiscreteScheduler",
                      kSigmas, kEither),
    Row<EulerAncestralSampler>(v1::SAMPLER_EULER_ANCESTRAL, "euler_ancestral",
                               "EulerAncestralDiscreteScheduler", kSigmas,
                               kEither),
    Row<DpmppMultistepSampler>(v1::SAMPLER_DPMPP_2M, "dpmpp_2m", kMultistep,
                               kSigmas, kEither, FixDpm<2, false>),
    Row<FlowEulerSampler>(v1::SAMPLER_FLOW_EULER, "flow_euler",
                          "FlowMatchEulerDiscreteScheduler", kFlow,
                          Explicit::kSigmas),
    Row<FlowHeunSampler>(v1::SAMPLER_FLOW_HEUN, "flow_heun",
                         "FlowMatchHeunDiscreteScheduler", kFlow,
                         Explicit::kSigmas),
    Row<HeunSampler>(v1::SAMPLER_HEUN, "heun", "HeunDiscreteScheduler", kSigmas,
                     kEither),
    Row<EdmHeunSampler>(v1::SAMPLER_EDM_HEUN, "edm_heun",
                        "HeunDiscreteScheduler", kSigmas, kEither),
    Row<Dpm2Sampler>(v1::SAMPLER_DPM2, "dpm2", "KDPM2DiscreteScheduler",
                     kSigmas, kEither),
    Row<Dpm2AncestralSampler>(v1::SAMPLER_DPM2_ANCESTRAL, "dpm2_ancestral",
                              "KDPM2AncestralDiscreteScheduler", kSigmas,
                              kEither),
    Row<LmsSampler>(v1::SAMPLER_LMS, "lms", "LMSDiscreteScheduler", kSigmas,
                    kEither),
    Row<DpmppSinglestepSampler>(v1::SAMPLER_DPMPP_2S, "dpmpp_2s",
                                "DPMSolverSinglestepScheduler", kSigmas,
                                kEither),
    Row<Dpmpp2sAncestralSampler>(
        v1::SAMPLER_DPMPP_2S_ANCESTRAL, "dpmpp_2s_ancestral",
        "KDPM2AncestralDiscreteScheduler", kSigmas, kEither),
    Row<DpmppMultistepSampler>(v1::SAMPLER_DPMPP_3M, "dpmpp_3m", kMultistep,
                               kSigmas, kEither, FixDpm<3, false>),
    Row<DpmppSdeSampler>(v1::SAMPLER_DPMPP_SDE, "dpmpp_sde",
                         "DPMSolverSDEScheduler", kSigmas, kEither),
    Row<DpmppMultistepSampler>(v1::SAMPLER_DPMPP_2M_SDE, "dpmpp_2m_sde",
                               kMultistep, kSigmas, kEither, FixDpm<2, true>),
    Row<DpmppMultistepSampler>(v1::SAMPLER_DPMPP_3M_SDE, "dpmpp_3m_sde",
                               kMultistep, kSigmas, kEither, FixDpm<3, true>),
    Row<UnipcSampler>(v1::SAMPLER_UNIPC, "unipc", "UniPCMultistepScheduler",
                      kSigmas, kEither),
    Row<DeisSampler>(v1::SAMPLER_DEIS, "deis", "DEISMultistepScheduler",
                     kSigmas, kEither),
    Row<DdpmSampler>(v1::SAMPLER_DDPM, "ddpm", "DDPMScheduler", kTimesteps,
                     Explicit::kTimesteps),
    Distilled<LcmSampler>(v1::SAMPLER_LCM, "lcm", "LCMScheduler"),
    Distilled<TcdSampler>(v1::SAMPLER_TCD, "tcd", "TCDScheduler"),
    Row<ScoreVeSampler>(v1::SAMPLER_SCORE_VE, "score_ve", "ScoreSdeVeScheduler",
                        kTimesteps, Explicit::kNone),
    Row<ScoreVpSampler>(v1::SAMPLER_SCORE_VP, "score_vp", "ScoreSdeVpScheduler",
                        kTimesteps, Explicit::kNone),
};

constexpr SamplerSpec DdimInverse() {
  SamplerSpec row = Row<DdimInverseSampler>(
      v1::SAMPLER_UNSPECIFIED, "ddim_inverse", "DDIMInverseScheduler",
      kTimesteps, Explicit::kNone);
  row.inverts = true;
  return row;
}

// For our own use: no request may ask for it.
constexpr SamplerSpec kDdimInverse = DdimInverse();

// Null if there is none.
const SamplerSpec* Find(SamplerId id) {
  const auto* const spec =
      std::find_if(std::begin(kSamplers), std::end(kSamplers),
                   [&](const SamplerSpec& row) { return row.id == id; });
  return spec == std::end(kSamplers) ? nullptr : spec;
}

// Whether a sampler's row changes nothing of `scheduler`.
bool IsAsInFile(const SamplerSpec& spec, const nlohmann::json& scheduler) {
  if (spec.fix == nullptr) return true;
  const auto file = ParseSchedulerConfig(scheduler, spec.scheduler_class);
  if (!file.ok()) return true;
  SchedulerConfig fixed = *file;
  spec.fix(fixed);
  return fixed.solver_order == file->solver_order &&
         fixed.stochastic_sampling == file->stochastic_sampling;
}

// Classes that walk as another does: these can also take many timesteps at
// once, which no pipeline of ours asks for.
constexpr std::pair<const char*, const char*> kSameWalks[] = {
    {"DDIMParallelScheduler", "DDIMScheduler"},
    {"DDPMParallelScheduler", "DDPMScheduler"}};

const SamplerSpec* Find(std::string scheduler_class,
                        const nlohmann::json& scheduler) {
  for (const auto& [parallel, plain] : kSameWalks) {
    if (scheduler_class == parallel) scheduler_class = plain;
  }
  if (scheduler_class == kDdimInverse.scheduler_class) return &kDdimInverse;
  const auto* const spec = std::find_if(
      std::begin(kSamplers), std::end(kSamplers), [&](const SamplerSpec& row) {
        return row.scheduler_class == scheduler_class &&
               IsAsInFile(row, scheduler);
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
  return spec.takes == kEither || spec.takes == Explicit::kSigmas;
}

bool TakesTimesteps(const SamplerSpec& spec, const SchedulerConfig& config) {
  return config.prediction_type != PredictionType::kFlow &&
         (spec.takes == kEither || spec.takes == Explicit::kTimesteps);
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
                        flow ? 1.0 : kMaxExplicitSigma);
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
  if (flow && std::count(std::begin(kFlow), std::end(kFlow), schedule) == 0) {
    return absl::InvalidArgumentError(absl::StrCat(
        "schedule ", NameOf(schedule), " is not for flow matching"));
  }
  if (spec.fix != nullptr) spec.fix(*config);
  if (schedule != kDefault) config->sigma_spacing = RowOf(schedule).spacing;
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

absl::Span<const SamplerSpec> Samplers() { return kSamplers; }

absl::StatusOr<SamplerId> DefaultSampler(const nlohmann::json& scheduler) {
  const std::string name = scheduler.is_object()
                               ? scheduler.value("_class_name", "")
                               : std::string();
  const SamplerSpec* const spec = Find(name, scheduler);
  if (spec == nullptr || spec->inverts) return NotSupported(name);
  return spec->id;
}

absl::Span<const SigmaSchedule> SchedulesOf(SamplerId id) {
  const SamplerSpec* const spec = Find(id);
  return spec == nullptr ? absl::Span<const SigmaSchedule>() : spec->schedules;
}

SigmaSchedule FromProto(v1::NoiseSchedule schedule) {
  const auto* const row = std::find_if(
      std::begin(kScheduleRows), std::end(kScheduleRows),
      [&](const ScheduleRow& one) { return one.proto == schedule; });
  return row == std::end(kScheduleRows) ? kDefault : row->schedule;
}

v1::NoiseSchedule ToProto(SigmaSchedule schedule) {
  return RowOf(schedule).proto;
}

const char* NameOf(SigmaSchedule schedule) { return RowOf(schedule).name; }

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
  const SamplerSpec* const spec = Find(scheduler_class, scheduler);
  if (spec == nullptr) return NotSupported(scheduler_class);
  return CreateRow(*spec, schedule, scheduler, options, start);
}

absl::StatusOr<SamplerNeeds> NeedsOf(SamplerId id,
                                     const nlohmann::json& scheduler) {
  const SamplerSpec* const spec = Find(id);
  if (spec == nullptr) return NotKnown(id);
  auto config = ParseSchedulerConfig(scheduler, spec->scheduler_class);
  if (!config.ok()) return config.status();
  if (spec->fix != nullptr) spec->fix(*config);
  return SamplerNeeds{.min_steps = spec->min_steps(*config),
                      .takes_sigmas = TakesSigmas(*spec),
                      .takes_timesteps = TakesTimesteps(*spec, *config)};
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
