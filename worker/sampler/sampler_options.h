#ifndef GENZO_WORKER_SAMPLER_SAMPLER_OPTIONS_H_
#define GENZO_WORKER_SAMPLER_SAMPLER_OPTIONS_H_

#include <cstdint>
#include <limits>
#include <memory>
#include <optional>
#include <vector>

#include "ATen/core/Tensor.h"
#include "genzo/v1/image_generation.pb.h"
#include "worker/sampler/noise_source.h"

namespace genzo {

// How far Karras' walk goes back up before each step (arXiv:2206.00364,
// algorithm 2).
struct Churn {
  double amount = 0;  // S_churn, over all steps
  double min_sigma = 0;
  double max_sigma = std::numeric_limits<double>::infinity();
  double noise = 1;  // S_noise

  // The share of `sigma` by which one of `steps` steps goes up.
  double GammaAt(double sigma, int steps) const;
};

// What a request chooses about its walk.
struct SamplerOptions {
  int steps = 25;
  // DDIM: share of DDPM noise, by default 0. TCD: gamma, by default 0.3.
  std::optional<double> eta = {};
  // DDIM: derive the noise from the clipped clean estimate.
  bool use_clipped_model_output = false;
  // Flow matching with dynamic shifting: how many tokens of the image the
  // transformer sees, its latent pixels over those of a patch.
  int64_t image_tokens = 0;
  // Sigmas at which the steps begin, instead of the schedule's; `steps` of
  // them, falling, over 0. Flow matching: before any shift, at most 1; FLUX's
  // pipelines say 1 - i / steps.
  std::vector<double> sigmas = {};
  // Or timesteps, falling, below the number of trained ones.
  std::vector<int> timesteps = {};
  Churn churn = {};  // Euler, EDM Heun
  // SigmaSchedule::kAlignYourSteps: the model is of SDXL's kind.
  bool sdxl = false;
};

// What `request` says of all that. The pipeline adds what it knows of the image
// and the model: image_tokens, sdxl, and FLUX's sigmas where the request has
// none.
SamplerOptions OptionsOf(const v1::GenerateRequest& request);

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
  // Walks from the sample up instead: DdimInverseSampler, whatever the request
  // asks for.
  bool inverts = false;
  // Of later noise, for those that draw.
  std::shared_ptr<NoiseSource> source = {};
};

}  // namespace genzo

#endif  // GENZO_WORKER_SAMPLER_SAMPLER_OPTIONS_H_
