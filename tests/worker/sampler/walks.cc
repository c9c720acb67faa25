#include "tests/worker/sampler/walks.h"

#include <limits>
#include <utility>

#include "ATen/TensorOperators.h"
#include "ATen/ops/tanh.h"
#include "absl/strings/match.h"

namespace genzo {
namespace {

using nlohmann::json;

// From a picture if `first_step` is over 0.
SamplerStart From(int first_step) {
  SamplerStart start = FromNoise(/*seed=*/3);
  if (first_step == 0) return start;
  start.sample = SeededNoise(/*seed=*/4).Draw({1, 4, 8, 8});
  start.first_step = first_step;
  return start;
}

}  // namespace

json StableDiffusion() {
  return {{"_class_name", "PNDMScheduler"},
          {"beta_start", 0.00085},
          {"beta_end", 0.012},
          {"beta_schedule", "scaled_linear"},
          {"skip_prk_steps", true},
          {"set_alpha_to_one", false},
          {"steps_offset", 1},
          {"clip_sample", false}};
}

json FileFor(const std::string& scheduler_class) {
  if (absl::StartsWith(scheduler_class, "FlowMatch")) {
    return {{"_class_name", scheduler_class}, {"shift", 3}};
  }
  if (absl::StartsWith(scheduler_class, "ScoreSde")) {
    return {{"_class_name", scheduler_class}, {"correct_steps", 1}};
  }
  return StableDiffusion();
}

SamplerStart FromNoise(uint64_t seed) {
  auto noise = std::make_shared<SeededNoise>(seed);
  SamplerStart start;
  start.noise = noise->Draw({1, 4, 8, 8});
  start.source = std::move(noise);
  return start;
}

std::vector<Walk> Walks(int steps) {
  std::vector<Walk> walks;
  const auto add = [&](const std::string& name, const std::string& klass,
                       const json& changes, double eta, int first_step,
                       SigmaSchedule schedule = SigmaSchedule::kDefault) {
    json scheduler = FileFor(klass);
    if (!changes.is_null()) scheduler.update(changes);
    walks.push_back({name, [=] {
                       return *CreateSamplerOfClass(
                           klass, schedule, scheduler,
                           {.steps = steps, .eta = eta}, From(first_step));
                     }});
  };
  for (const SamplerSpec& spec : Samplers()) {
    for (SigmaSchedule schedule : spec.schedules) {
      for (const int first_step : {0, 2}) {
        const std::string name = std::string(spec.name) + "/" +
                                 NameOf(schedule) +
                                 (first_step > 0 ? "/picture" : "");
        walks.push_back({name, [=] {
                           return *CreateSampler(
                               spec.id, schedule, FileFor(spec.scheduler_class),
                               {.steps = steps}, From(first_step));
                         }});
      }
    }
  }
  add("ddim/eta", "DDIMScheduler", {}, 0.5, 0);
  add("pndm/runge-kutta", "PNDMScheduler", {{"skip_prk_steps", false}}, 0, 0);
  add("pndm/runge-kutta/picture", "PNDMScheduler", {{"skip_prk_steps", false}},
      0, 2);
  for (const int order : {1, 3}) {
    const json changes = {{"solver_order", order}};
    const std::string suffix = "/order " + std::to_string(order);
    add("dpmpp" + suffix, "DPMSolverMultistepScheduler", changes, 0, 0);
    add("dpmpp_2s" + suffix, "DPMSolverSinglestepScheduler", changes, 0, 0);
    add("dpmpp_2s/picture" + suffix, "DPMSolverSinglestepScheduler", changes, 0,
        2);
    add("unipc" + suffix, "UniPCMultistepScheduler", changes, 0, 0);
    add("deis" + suffix, "DEISMultistepScheduler", changes, 0, 0);
  }
  add("tcd/eta 0", "TCDScheduler", {}, 0, 0);
  add("score_ve/two corrections", "ScoreSdeVeScheduler", {{"correct_steps", 2}},
      0, 0);
  walks.push_back({"edm_heun/churn", [=] {
                     return *CreateSampler(
                         v1::SAMPLER_EDM_HEUN, SigmaSchedule::kDefault,
                         StableDiffusion(),
                         {.steps = steps, .churn = {.amount = 2}}, From(0));
                   }});
  add("flow_euler/stochastic", "FlowMatchEulerDiscreteScheduler",
      {{"stochastic_sampling", true}}, 0, 0);
  walks.push_back({"ddim_inverse", [=] {
                     SamplerStart start;
                     start.sample = FromNoise(/*seed=*/5).noise;
                     return *CreateSamplerOfClass(
                         "DDIMInverseScheduler", SigmaSchedule::kDefault,
                         StableDiffusion(), {.steps = steps}, start);
                   }});
  return walks;
}

at::Tensor Answer(const Query& query) {
  return at::tanh(query.sample.flip(3) + query.timestep / 1000) +
         0.3 * query.sample;
}

void WalkUntil(SamplerRun& run, int evaluations) {
  while (run.progress().evaluations_done < evaluations) {
    const auto query = run.Next();
    if (!query.has_value()) return;
    run.Take(Answer(*query));
  }
}

void Finish(SamplerRun& run) {
  WalkUntil(run, std::numeric_limits<int>::max());
}

}  // namespace genzo
