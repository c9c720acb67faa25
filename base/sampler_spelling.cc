#include "base/sampler_spelling.h"

#include <algorithm>
#include <iterator>

#include "absl/strings/ascii.h"
#include "absl/strings/strip.h"

namespace genzo {
namespace {

struct SamplerRow {
  v1::Sampler id;
  const char* label;     // the web UI's
  const char* schedule;  // of the model's own, where the web UI would take
                         // another unless told
  const char* klass;     // of diffusers
  const char* other;     // one more spelling; may be empty
};

constexpr SamplerRow kSamplers[] = {
    {v1::SAMPLER_DDIM, "DDIM", "", "DDIMScheduler", "DDIMParallelScheduler"},
    {v1::SAMPLER_PNDM, "PLMS", "", "PNDMScheduler", ""},
    {v1::SAMPLER_EULER, "Euler", "", "EulerDiscreteScheduler",
     "EDMEulerScheduler"},
    {v1::SAMPLER_EULER_ANCESTRAL, "Euler a", "",
     "EulerAncestralDiscreteScheduler", ""},
    {v1::SAMPLER_DPMPP_2M, "DPM++ 2M", "Uniform", "DPMSolverMultistepScheduler",
     "EDMDPMSolverMultistepScheduler"},
    {v1::SAMPLER_FLOW_EULER, "Euler", "", "FlowMatchEulerDiscreteScheduler",
     ""},
    {v1::SAMPLER_FLOW_HEUN, "Heun", "", "FlowMatchHeunDiscreteScheduler", ""},
    {v1::SAMPLER_HEUN, "Heun", "", "HeunDiscreteScheduler", ""},
    {v1::SAMPLER_EDM_HEUN, "Heun", "", "EDM Heun", ""},
    {v1::SAMPLER_DPM2, "DPM2", "Uniform", "KDPM2DiscreteScheduler", "dpm_2"},
    {v1::SAMPLER_DPM2_ANCESTRAL, "DPM2 a", "Uniform",
     "KDPM2AncestralDiscreteScheduler", ""},
    {v1::SAMPLER_LMS, "LMS", "", "LMSDiscreteScheduler", ""},
    {v1::SAMPLER_DPMPP_2S, "DPM++ 2S", "Uniform",
     "DPMSolverSinglestepScheduler", ""},
    {v1::SAMPLER_DPMPP_2S_ANCESTRAL, "DPM++ 2S a", "Uniform", "DPM++ 2S a", ""},
    {v1::SAMPLER_DPMPP_3M, "DPM++ 3M", "Uniform", "DPM++ 3M", ""},
    {v1::SAMPLER_DPMPP_SDE, "DPM++ SDE", "Uniform", "DPMSolverSDEScheduler",
     ""},
    {v1::SAMPLER_DPMPP_2M_SDE, "DPM++ 2M SDE", "Uniform", "DPM++ 2M SDE", ""},
    {v1::SAMPLER_DPMPP_2M_SDE_HEUN, "DPM++ 2M SDE Heun", "Uniform",
     "DPM++ 2M SDE Heun", ""},
    {v1::SAMPLER_DPMPP_3M_SDE, "DPM++ 3M SDE", "Uniform", "DPM++ 3M SDE", ""},
    {v1::SAMPLER_UNIPC, "UniPC", "", "UniPCMultistepScheduler", ""},
    {v1::SAMPLER_DEIS, "DEIS", "", "DEISMultistepScheduler", ""},
    {v1::SAMPLER_DDPM, "DDPM", "", "DDPMScheduler", "DDPMParallelScheduler"},
    {v1::SAMPLER_LCM, "LCM", "", "LCMScheduler", ""},
    {v1::SAMPLER_TCD, "TCD", "", "TCDScheduler", ""},
    {v1::SAMPLER_SCORE_VE, "Score SDE VE", "", "ScoreSdeVeScheduler", ""},
    {v1::SAMPLER_SCORE_VP, "Score SDE VP", "", "ScoreSdeVpScheduler", ""},
};

struct ScheduleRow {
  v1::NoiseSchedule id;
  const char* label;
  const char* other;
};

constexpr ScheduleRow kSchedules[] = {
    {v1::NOISE_SCHEDULE_KARRAS, "Karras", ""},
    {v1::NOISE_SCHEDULE_EXPONENTIAL, "Exponential", ""},
    {v1::NOISE_SCHEDULE_BETA, "Beta", ""},
    {v1::NOISE_SCHEDULE_SGM_UNIFORM, "SGM Uniform", ""},
    {v1::NOISE_SCHEDULE_SIMPLE, "Simple", ""},
    {v1::NOISE_SCHEDULE_DDIM_UNIFORM, "DDIM", "ddim_uniform"},
    {v1::NOISE_SCHEDULE_ALIGN_YOUR_STEPS, "Align Your Steps", "ays"},
};

// "DPM++ 2M SDE" and "dpmpp_2m_sde" alike: "dpmpp2msde".
std::string Bare(absl::string_view name) {
  std::string bare;
  for (const char c : name) {
    if (c == '+') bare += 'p';
    if (absl::ascii_isalnum(c)) bare += absl::ascii_tolower(c);
  }
  return bare;
}

std::string BareProtoName(const std::string& name, absl::string_view prefix) {
  return Bare(absl::StripPrefix(name, prefix));
}

// Rows are in order of preference where two share the web UI's label.
std::optional<v1::Sampler> FindBare(absl::string_view bare) {
  for (const SamplerRow& row : kSamplers) {
    if (bare == BareProtoName(v1::Sampler_Name(row.id), "SAMPLER_") ||
        bare == Bare(row.klass)) {
      return row.id;
    }
  }
  for (const SamplerRow& row : kSamplers) {
    const bool flow =
        row.id == v1::SAMPLER_FLOW_EULER || row.id == v1::SAMPLER_FLOW_HEUN;
    if (!flow && (bare == Bare(row.label) || bare == Bare(row.other))) {
      return row.id;
    }
  }
  return std::nullopt;
}

}  // namespace

std::optional<v1::NoiseSchedule> FindSchedule(absl::string_view name) {
  const std::string whole = Bare(name);
  absl::string_view bare = whole;
  // diffusers' options: use_karras_sigmas.
  if (absl::ConsumePrefix(&bare, "use")) absl::ConsumeSuffix(&bare, "sigmas");
  if (bare.empty()) return std::nullopt;
  for (const char* own : {"automatic", "uniform", "normal"}) {
    if (bare == own) return v1::NOISE_SCHEDULE_UNSPECIFIED;
  }
  for (const ScheduleRow& row : kSchedules) {
    if (bare ==
            BareProtoName(v1::NoiseSchedule_Name(row.id), "NOISE_SCHEDULE_") ||
        bare == Bare(row.label) || bare == Bare(row.other)) {
      return row.id;
    }
  }
  return std::nullopt;
}

std::optional<SamplerChoice> FindSampler(absl::string_view name) {
  std::string bare = Bare(name);
  bare = std::string(absl::StripPrefix(bare, "sample"));
  if (bare.empty()) return std::nullopt;
  if (const auto sampler = FindBare(bare)) return SamplerChoice{*sampler};
  // The web UI's names of k-diffusion's in its files: k_dpmpp_2s_a.
  if (bare.size() > 1 && bare[0] == 'k') {
    if (const auto sampler = FindBare(bare.substr(1))) {
      return SamplerChoice{*sampler};
    }
  }
  // A name with a schedule behind it.
  for (size_t length = 1; length < bare.size(); ++length) {
    const auto sampler = FindBare(bare.substr(0, length));
    const auto schedule = FindSchedule(bare.substr(length));
    if (sampler && schedule) return SamplerChoice{*sampler, *schedule};
  }
  return std::nullopt;
}

SamplerLabels LabelsOf(const SamplerChoice& choice) {
  const auto* const sampler = std::find_if(
      std::begin(kSamplers), std::end(kSamplers),
      [&](const SamplerRow& row) { return row.id == choice.sampler; });
  const auto* const schedule = std::find_if(
      std::begin(kSchedules), std::end(kSchedules),
      [&](const ScheduleRow& row) { return row.id == choice.schedule; });
  if (sampler == std::end(kSamplers)) return {"?", ""};
  return {sampler->label, schedule == std::end(kSchedules) ? sampler->schedule
                                                           : schedule->label};
}

}  // namespace genzo
