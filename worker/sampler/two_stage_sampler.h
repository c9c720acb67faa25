#ifndef GENZO_WORKER_SAMPLER_TWO_STAGE_SAMPLER_H_
#define GENZO_WORKER_SAMPLER_TWO_STAGE_SAMPLER_H_

#include "worker/sampler/planned_sampler.h"

namespace genzo {

// What samplers share that look twice in each step but the last: at its
// beginning, and where the first look leads.
class TwoStageSampler : public PlannedSampler {
 public:
  void Save(SamplerState& state) const override;
  absl::Status Restore(const SamplerState& state) override;

 protected:
  using PlannedSampler::PlannedSampler;

  // Takes the first look of a step and returns where to look next; the last
  // step's returns the walk's end. Sets denoised_, and first_slope_ if kept.
  virtual at::Tensor First(const at::Tensor& prediction) = 0;
  // Takes the second look and returns the step's end. Sets denoised_.
  virtual at::Tensor Second(const at::Tensor& prediction) = 0;

  // Whether Second() needs first_slope_.
  virtual bool keeps_slope() const { return false; }

  // Whether the coming look is a step's second.
  bool second() const { return done_ % 2 == 1 && done_ < plan_.evaluations(); }

  // known_level() of references that look in the middle: where a step begins,
  // and then where it ends.
  NoiseLevel StepLevel() const {
    return second() ? plan_.levels[done_ + 1] : level();
  }

  at::Tensor step_sample_;  // where the current step began
  at::Tensor first_slope_;  // what First() found there

 private:
  at::Tensor Step(const at::Tensor& prediction) final;
};

}  // namespace genzo

#endif  // GENZO_WORKER_SAMPLER_TWO_STAGE_SAMPLER_H_
