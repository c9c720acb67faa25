#ifndef GENZO_WORKER_SAMPLER_SAMPLER_H_
#define GENZO_WORKER_SAMPLER_SAMPLER_H_

#include <optional>

#include "ATen/core/Tensor.h"
#include "absl/status/status.h"
#include "worker/sampler/noise_level.h"
#include "worker/sampler/sampler_state.h"

namespace genzo {

// Where the denoiser must look next.
struct Query {
  at::Tensor sample;  // [1, ...] float32, scaled as the network wants it
  double timestep;
};

// How far a walk is. Steps are the sampler's moves as the request counts them:
// a walk that starts from a picture at step 4 of 10 begins with 4 done and ends
// with 10. Evaluations are calls of the denoiser and those of this walk alone,
// from 0: a step of PNDM takes up to four of them.
struct WalkProgress {
  int steps_done;
  int steps;
  int evaluations_done;
  int evaluations;
};

// One image's walk down its noise schedule. The unit is one evaluation of the
// denoiser, so any run may share a batch with any other. Owned and called by
// the step loop, one thread at a time; float32.
class SamplerRun {
 public:
  virtual ~SamplerRun() = default;

  // Where the denoiser must look next; nullopt once latent() is final. Changes
  // nothing: asked again, it answers the same.
  virtual std::optional<Query> Next() const = 0;

  // Takes the denoiser's (guided) output that answers the last Next(), shaped
  // as its sample, float32. What it means is the schedule's prediction type;
  // reference samplers differ in where they convert it, so they do it
  // themselves, through prediction.h.
  virtual void Take(const at::Tensor& prediction) = 0;

  // The level at which Next() takes latent() to be; after the last step, that
  // of the finished latent.
  virtual NoiseLevel level() const = 0;

  // The level at which the known part of a picture is put back into latent().
  // Of references that look in the middle of a step it is the step's end there
  // already.
  virtual NoiseLevel known_level() const { return level(); }

  // The current sample; after the last step, the finished latent.
  virtual const at::Tensor& latent() const = 0;

  // The latest estimate of the finished latent: what a preview shows. Undefined
  // before the first Take().
  virtual const at::Tensor& denoised() const = 0;

  // Goes on from `latent` in place of latent(). Throws c10::Error if shape or
  // type differ from it.
  virtual void Replace(at::Tensor latent) = 0;

  virtual WalkProgress progress() const = 0;

  // Adds to `state` all that is needed to go on with the same bits: latent,
  // estimate, history, position, noise. Legal between any two evaluations.
  virtual void Save(SamplerState& state) const = 0;

  // Goes on where the saved run was; this one must have been created with the
  // same arguments, in any process. INVALID_ARGUMENT names the field that does
  // not fit; the run is then not to be used any more.
  virtual absl::Status Restore(const SamplerState& state) = 0;
};

}  // namespace genzo

#endif  // GENZO_WORKER_SAMPLER_SAMPLER_H_
