#ifndef GENZO_WORKER_SAMPLER_SAMPLER_OPTIONS_H_
#define GENZO_WORKER_SAMPLER_SAMPLER_OPTIONS_H_

#include <cstdint>
#include <memory>
#include <vector>

#include "ATen/core/Tensor.h"
#include "worker/sampler/noise_source.h"

namespace genzo {

// What a request chooses about its walk.
struct SamplerOptions {
  int steps = 25;
  double eta = 0;  // DDIM: share of DDPM noise
  // DDIM: derive the noise from the clipped clean estimate.
  bool use_clipped_model_output = false;
  // Flow matching with dynamic shifting: how many tokens of the image the
  // transformer sees, its latent pixels over those of a patch.
  int64_t image_tokens = 0;
  // Flow matching: sigmas at which the steps begin, before any shift, instead
  // of the scheduler's own; `steps` of them, falling, over 0 and at most 1.
  // FLUX's pipelines say 1 - i / steps.
  std::vector<double> sigmas = {};
};

// A walk before its first step.
struct SamplerStart {
  // [1, ...] unit normal float32. Inversion needs none.
  at::Tensor noise = {};
  // Undefined: the walk starts from noise alone. Else a clean sample, shaped as
  // `noise`, that is noised to the level at which step `first_step` begins, as
  // the reference's add_noise does. Inversion starts at it as it is.
  at::Tensor sample = {};
  // Steps that are left out, see FirstStepOf(). 0 without a sample.
  int first_step = 0;
  // Of later noise, for those that draw.
  std::shared_ptr<NoiseSource> source = {};
};

}  // namespace genzo

#endif  // GENZO_WORKER_SAMPLER_SAMPLER_OPTIONS_H_
