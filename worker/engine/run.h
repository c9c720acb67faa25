#ifndef GENZO_WORKER_ENGINE_RUN_H_
#define GENZO_WORKER_ENGINE_RUN_H_

#include <compare>
#include <cstdint>
#include <memory>
#include <string>

#include "ATen/core/Tensor.h"
#include "worker/denoiser/context_gatherer.h"
#include "worker/pipeline/stable_diffusion.h"
#include "worker/sampler/sampler.h"

namespace genzo {

// Classifier-free guidance (Ho & Salimans, arXiv:2207.12598).
struct Guidance {
  double scale = 7.5;  // over 1: guided, two rows; else one row
  double rescale = 0;  // arXiv:2305.08891, section 3.4
  bool active() const { return scale > 1; }
};

// One image's live state as an evaluation needs it. Owned by the step loop.
struct Run {
  const DiffusionModel* model = nullptr;  // outlives the run
  std::unique_ptr<SamplerRun> sampler;
  // Rows of the text: unconditional first where guided. A job's runs share it.
  std::shared_ptr<const TextContext> context;
  Guidance guidance;

  int rows() const { return guidance.active() ? 2 : 1; }
};

// What runs must agree on to share an evaluation.
struct ShapeKey {
  const DiffusionModel* model;
  int64_t latent_height;
  int64_t latent_width;
  int64_t context_length;

  auto operator<=>(const ShapeKey& other) const = default;
};

ShapeKey ShapeOf(const Run& run);

}  // namespace genzo

#endif  // GENZO_WORKER_ENGINE_RUN_H_
