#include "worker/sampler/scheduler_class.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "absl/strings/str_cat.h"

namespace genzo {
namespace {

// The parallel ones can also take many timesteps at once, which no pipeline of
// ours asks for. The walks of EDM's differ by what the file says.
constexpr std::pair<const char*, const char*> kSameWalks[] = {
    {"DDIMParallelScheduler", "DDIMScheduler"},
    {"DDPMParallelScheduler", "DDPMScheduler"},
    {"EDMEulerScheduler", "EulerDiscreteScheduler"},
    {"EDMDPMSolverMultistepScheduler", "DPMSolverMultistepScheduler"},
};

constexpr SchedulerClass kClasses[] = {
    {.name = "DDIMScheduler",
     .spacing = "leading",
     .clip_sample = true,
     .set_alpha_to_one = true,
     .spaces_sigmas = false},
    {.name = "DDIMInverseScheduler",
     .spacing = "leading",
     .clip_sample = true,
     .set_alpha_to_one = true,
     .spaces_sigmas = false,
     .samples = false},
    {.name = "DDPMScheduler",
     .spacing = "leading",
     .clip_sample = true,
     .spaces_sigmas = false},
    {.name = "PNDMScheduler",
     .spacing = "leading",
     .spaces_sigmas = false,
     .samples = false},
    {.name = "EulerDiscreteScheduler", .edm_too = true, .has_ends = true},
    {.name = "EulerAncestralDiscreteScheduler",
     .edm_too = true,
     .spaces_sigmas = false},
    {.name = "LMSDiscreteScheduler", .edm_too = true},
    {.name = "HeunDiscreteScheduler",
     .edm_too = true,
     .beta_start = 0.00085,
     .beta_end = 0.012},
    {.name = "KDPM2DiscreteScheduler",
     .edm_too = true,
     .beta_start = 0.00085,
     .beta_end = 0.012},
    {.name = "KDPM2AncestralDiscreteScheduler",
     .edm_too = true,
     .beta_start = 0.00085,
     .beta_end = 0.012},
    {.name = "DPMSolverSDEScheduler",
     .edm_too = true,
     .beta_start = 0.00085,
     .beta_end = 0.012},
    {.name = "DPMSolverMultistepScheduler", .flow_too = true, .edm_too = true},
    {.name = "DPMSolverSinglestepScheduler", .flow_too = true},
    {.name = "DEISMultistepScheduler", .flow_too = true},
    {.name = "UniPCMultistepScheduler", .flow_too = true, .has_ends = true},
    {.name = "LCMScheduler",
     .spacing = "leading",
     .beta_start = 0.00085,
     .beta_end = 0.012,
     .beta_schedule = "scaled_linear",
     .set_alpha_to_one = true,
     .spaces_sigmas = false},
    {.name = "TCDScheduler",
     .spacing = "leading",
     .beta_start = 0.00085,
     .beta_end = 0.012,
     .beta_schedule = "scaled_linear",
     .set_alpha_to_one = true,
     .spaces_sigmas = false},
    {.name = "FlowMatchEulerDiscreteScheduler",
     .trained_for = TrainedFor::kFlow},
    {.name = "FlowMatchHeunDiscreteScheduler",
     .trained_for = TrainedFor::kFlow},
    {.name = "ScoreSdeVeScheduler", .trained_for = TrainedFor::kScoreVe},
    {.name = "ScoreSdeVpScheduler", .trained_for = TrainedFor::kScoreVp},
};

}  // namespace

bool SchedulerClass::Reads(TrainedFor what) const {
  return what == trained_for || (what == TrainedFor::kFlow && flow_too) ||
         (what == TrainedFor::kEdm && edm_too);
}

std::string PlainClassOf(const std::string& name) {
  for (const auto& [same, plain] : kSameWalks) {
    if (name == same) return plain;
  }
  return name;
}

const SchedulerClass* FindSchedulerClass(const std::string& name) {
  const std::string plain = PlainClassOf(name);
  const auto* const row = std::find_if(
      std::begin(kClasses), std::end(kClasses),
      [&](const SchedulerClass& one) { return one.name == plain; });
  return row == std::end(kClasses) ? nullptr : row;
}

absl::Status UnsupportedScheduler(const std::string& name) {
  return absl::UnimplementedError(
      absl::StrCat("scheduler class \"", name, "\" is not supported"));
}

}  // namespace genzo
