#include "worker/sampler/stepped_sampler.h"

namespace genzo {

std::optional<Evaluation> SteppedSampler::Next() const {
  if (index_ == steps()) return std::nullopt;
  return Evaluation{ScaledSample(), timestep()};
}

void SteppedSampler::Advance(const at::Tensor& prediction) {
  latent_ = Step(prediction);
  ++index_;
}

}  // namespace genzo
