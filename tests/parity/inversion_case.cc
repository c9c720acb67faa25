#include "ATen/TensorOperators.h"
#include "absl/strings/str_cat.h"
#include "tests/parity/cases.h"
#include "worker/engine/evaluate.h"

namespace genzo::parity {

// The loop of the reference: the posterior's mean is carried up to noise, one
// unguided row at a time.
void RunInversionCase(const Golden& golden, ModelCache& models,
                      Report& report) {
  const auto model = models.Get(golden.manifest["model"]);
  if (!model.ok()) return report.Fail(std::string(model.status().message()));
  const at::Tensor pixels = golden.Tensor("input_image")
                                    .permute({2, 0, 1})
                                    .unsqueeze(0)
                                    .to(at::kFloat) /
                                255 * 2 -
                            1;
  const at::Tensor clean =
      (*model)->codec().Scale((*model)->codec().Encode(pixels).mean);
  report.CompareTensors("start", clean, golden.Tensor("initial_latents"));
  const std::string prompt = golden.manifest["prompt"];
  const auto prepared = (*model)->denoiser().Prepare(
      {.tokens = (*model)->EncodeTexts({prompt}, /*clip_skip=*/0)});
  if (!prepared.ok()) {
    return report.Fail(std::string(prepared.status().message()));
  }
  const nlohmann::json& scheduler = golden.manifest["scheduler"];
  auto sampler = CreateSamplerOfClass(
      scheduler["class"], SigmaSchedule::kDefault, scheduler["config"],
      {.steps = golden.manifest["num_inference_steps"].get<int>()},
      {.sample = clean});
  if (!sampler.ok())
    return report.Fail(std::string(sampler.status().message()));
  std::vector<Stage> stages(1);
  stages[0] = {.denoiser = &(*model)->denoiser(),
               .prepared = *prepared,
               .guidance = {.rows = 1},
               .sampler = *std::move(sampler),
               .begin = nullptr};
  Run run(std::move(stages));
  PreparedJoiner joiner;
  const at::Tensor outputs = golden.Tensor("step_model_output");
  const at::Tensor expected = golden.Tensor("step_out");
  for (int64_t step = 0; step < expected.size(0); ++step) {
    const auto query = run.Next();
    if (!query.has_value()) return report.Fail("the walk ended early");
    report.Compare("timestep",
                   std::abs(query->timestep -
                            golden.Tensor("timesteps")[step].item<double>()),
                   1e-3);
    const auto predictions = Evaluate({&run}, joiner);
    if (!predictions.ok()) {
      return report.Fail(std::string(predictions.status().message()));
    }
    report.CompareTensors("guided", (*predictions)[0], outputs[step]);
    const absl::Status taken = run.Take((*predictions)[0]);
    if (!taken.ok()) return report.Fail(std::string(taken.message()));
    report.CompareTensors("latents", run.latent(), expected[step]);
  }
  if (!run.finished()) report.Fail("the walk goes on");
}

}  // namespace genzo::parity
