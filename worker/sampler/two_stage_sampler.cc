#include "worker/sampler/two_stage_sampler.h"

namespace genzo {

at::Tensor TwoStageSampler::Step(const at::Tensor& prediction) {
  if (second()) return Second(prediction);
  step_sample_ = latent_;
  return First(prediction);
}

void TwoStageSampler::Save(SamplerState& state) const {
  PlannedSampler::Save(state);
  if (!second()) return;
  state.SetTensor("step_sample", step_sample_);
  if (keeps_slope()) state.SetTensor("first_slope", first_slope_);
}

absl::Status TwoStageSampler::Restore(const SamplerState& state) {
  if (absl::Status common = PlannedSampler::Restore(state); !common.ok()) {
    return common;
  }
  if (!second()) return absl::OkStatus();
  StateReader reader(state);
  step_sample_ = reader.Tensor("step_sample", latent_);
  if (keeps_slope()) first_slope_ = reader.Tensor("first_slope", latent_);
  return reader.status();
}

}  // namespace genzo
