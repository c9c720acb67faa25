#ifndef GENZO_WORKER_SAMPLER_SAMPLER_H_
#define GENZO_WORKER_SAMPLER_SAMPLER_H_

#include <optional>

#include "ATen/core/Tensor.h"

namespace genzo {

// Where the denoiser must look next.
struct Evaluation {
  at::Tensor sample;  // [1, C, H, W] float32, of unit variance
  double timestep;
};

// One image's walk down its noise schedule. The unit is one evaluation of the
// denoiser, so any run may share a batch with any other. Owned and called by
// the step loop; float32 on the CPU.
class SamplerRun {
 public:
  virtual ~SamplerRun() = default;

  // Where the denoiser must look next; nullopt once latent() is final.
  virtual std::optional<Evaluation> Next() const = 0;

  // Takes the denoiser's (guided) output that answers the last Next(),
  // [1, C, H, W] float32. What it means is the schedule's prediction type;
  // reference samplers differ in where they convert it, so they do it
  // themselves, through prediction.h.
  virtual void Advance(const at::Tensor& prediction) = 0;

  // The current sample; after the last step, the finished latent.
  virtual const at::Tensor& latent() const = 0;

  // The latest estimate of the finished latent: what a preview shows. Undefined
  // before the first Advance().
  virtual const at::Tensor& denoised() const = 0;

  // Evaluations of the whole walk, and those done.
  virtual int steps() const = 0;
  virtual int steps_done() const = 0;
};

}  // namespace genzo

#endif  // GENZO_WORKER_SAMPLER_SAMPLER_H_
