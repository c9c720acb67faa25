#include "worker/sampler/sampler_table.h"

#include <algorithm>

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
#include "worker/sampler/scheduler_class.h"
#include "worker/sampler/score_ve_sampler.h"
#include "worker/sampler/score_vp_sampler.h"
#include "worker/sampler/tcd_sampler.h"
#include "worker/sampler/unipc_sampler.h"
#include "worker/weights/json_config.h"

namespace genzo {
namespace {

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

// The web UI's name for solver_type "heun".
void FixDpmSdeHeun(SchedulerConfig& config) {
  FixDpm<2, true>(config);
  config.heun = true;
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
    // Before the one that has whichever rule a file says: such a file is its.
    Row<DpmppMultistepSampler>(v1::SAMPLER_DPMPP_2M_SDE_HEUN,
                               "dpmpp_2m_sde_heun", kMultistep, kSigmas,
                               kEither, FixDpmSdeHeun),
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

// Whether a sampler's row changes nothing of `scheduler`.
bool IsAsInFile(const SamplerSpec& spec, const nlohmann::json& scheduler) {
  if (spec.fix == nullptr) return true;
  const auto file = ParseSchedulerConfig(scheduler, spec.scheduler_class);
  if (!file.ok()) return true;
  SchedulerConfig fixed = *file;
  spec.fix(fixed);
  return fixed.solver_order == file->solver_order &&
         fixed.stochastic_sampling == file->stochastic_sampling &&
         fixed.heun == file->heun;
}

}  // namespace

absl::Span<const SamplerSpec> Samplers() { return kSamplers; }

const SamplerSpec* FindSampler(SamplerId id) {
  const auto* const spec =
      std::find_if(std::begin(kSamplers), std::end(kSamplers),
                   [&](const SamplerSpec& row) { return row.id == id; });
  return spec == std::end(kSamplers) ? nullptr : spec;
}

const SamplerSpec* FindSamplerOfClass(const std::string& scheduler_class,
                                      const nlohmann::json& scheduler) {
  const std::string plain = PlainClassOf(scheduler_class);
  if (plain == kDdimInverse.scheduler_class) return &kDdimInverse;
  const auto* const spec = std::find_if(
      std::begin(kSamplers), std::end(kSamplers), [&](const SamplerSpec& row) {
        return row.scheduler_class == plain && IsAsInFile(row, scheduler);
      });
  return spec == std::end(kSamplers) ? nullptr : spec;
}

absl::StatusOr<SamplerId> DefaultSampler(const nlohmann::json& scheduler) {
  JsonConfig json(scheduler, "scheduler configuration");
  const std::string name = json.ClassName("");
  if (!json.status().ok()) return json.status();
  const SamplerSpec* const spec = FindSamplerOfClass(name, scheduler);
  if (spec == nullptr || spec->inverts) return UnsupportedScheduler(name);
  return spec->id;
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

SigmaSpacing SpacingOf(SigmaSchedule schedule) {
  return RowOf(schedule).spacing;
}

bool GoesWithFlow(SigmaSchedule schedule) {
  return std::count(std::begin(kFlow), std::end(kFlow), schedule) > 0;
}

}  // namespace genzo
