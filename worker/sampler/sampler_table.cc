#include "worker/sampler/sampler_table.h"

#include "absl/strings/str_cat.h"
#include "worker/sampler/ddim_sampler.h"
#include "worker/sampler/dpmpp_multistep_sampler.h"
#include "worker/sampler/euler_ancestral_sampler.h"
#include "worker/sampler/euler_sampler.h"
#include "worker/sampler/pndm_sampler.h"

namespace genzo {
namespace {

using Request = v1::GenerateRequest;

template <typename Sampler>
std::unique_ptr<SamplerRun> Create(const SchedulerConfig& config,
                                   const SamplerOptions& options,
                                   const SamplerStart& start) {
  return std::make_unique<Sampler>(config, options, start);
}

constexpr SamplerSpec kSamplers[] = {
    {Request::SAMPLER_DDIM, "ddim", "DDIMScheduler", SigmaSpacing::kTimesteps,
     Create<DdimSampler>},
    {Request::SAMPLER_PNDM, "pndm", "PNDMScheduler", SigmaSpacing::kTimesteps,
     Create<PndmSampler>},
    {Request::SAMPLER_EULER, "euler", "EulerDiscreteScheduler",
     SigmaSpacing::kTimesteps, Create<EulerSampler>},
    {Request::SAMPLER_EULER_ANCESTRAL, "euler_ancestral",
     "EulerAncestralDiscreteScheduler", SigmaSpacing::kTimesteps,
     Create<EulerAncestralSampler>},
    {Request::SAMPLER_DPMPP_2M, "dpmpp_2m", "DPMSolverMultistepScheduler",
     SigmaSpacing::kTimesteps, Create<DpmppMultistepSampler>},
    {Request::SAMPLER_DPMPP_2M_KARRAS, "dpmpp_2m_karras",
     "DPMSolverMultistepScheduler", SigmaSpacing::kKarras,
     Create<DpmppMultistepSampler>},
};

}  // namespace

absl::Span<const SamplerSpec> Samplers() { return kSamplers; }

absl::StatusOr<SamplerId> DefaultSampler(const nlohmann::json& scheduler) {
  const std::string name = scheduler.is_object()
                               ? scheduler.value("_class_name", "")
                               : std::string();
  for (const SamplerSpec& spec : kSamplers) {
    if (name == spec.scheduler_class) return spec.id;
  }
  return absl::UnimplementedError(
      absl::StrCat("scheduler class \"", name, "\" is not supported"));
}

absl::StatusOr<std::unique_ptr<SamplerRun>> CreateSampler(
    SamplerId id, const nlohmann::json& scheduler,
    const SamplerOptions& options, const SamplerStart& start) {
  for (const SamplerSpec& spec : kSamplers) {
    if (spec.id != id) continue;
    auto config = ParseSchedulerConfig(scheduler, spec.scheduler_class);
    if (!config.ok()) return config.status();
    if (spec.sigma_spacing != SigmaSpacing::kTimesteps) {
      config->sigma_spacing = spec.sigma_spacing;
    }
    const bool runge_kutta =
        id == Request::SAMPLER_PNDM && !config->skip_prk_steps;
    const int min_steps = runge_kutta ? PndmSampler::kMinRungeKuttaSteps : 1;
    if (options.steps < min_steps ||
        options.steps > config->num_train_timesteps) {
      return absl::InvalidArgumentError(absl::StrCat(
          "steps ", options.steps, " is not between ", min_steps, " and ",
          config->num_train_timesteps, " for sampler ", spec.name));
    }
    auto sampler = spec.create(*config, options, start);
    if (sampler->steps() == 0) {
      return absl::UnimplementedError(
          absl::StrCat("the scheduler configuration leaves sampler ", spec.name,
                       " no timestep"));
    }
    return sampler;
  }
  return absl::InvalidArgumentError(
      absl::StrCat("sampler ", static_cast<int>(id), " is not known"));
}

}  // namespace genzo
