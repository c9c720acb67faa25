#ifndef GENZO_WORKER_NN_TIMESTEP_EMBEDDING_H_
#define GENZO_WORKER_NN_TIMESTEP_EMBEDDING_H_

#include <cstdint>

#include "worker/nn/layers.h"

namespace genzo {

// How a timestep becomes a vector of sines and cosines.
struct TimestepProjection {
  int64_t dim;                  // even
  bool flip_sin_to_cos = true;  // cosines first
  double freq_shift = 0;        // reference: downscale_freq_shift
};

// Sinusoidal embedding (arXiv:1706.03762, reference: diffusers'
// get_timestep_embedding). timesteps [B] float32 -> [B, dim] float32.
at::Tensor ProjectTimesteps(const at::Tensor& timesteps,
                            const TimestepProjection& projection);

// The two-layer network that follows it.
struct TimestepEmbedding {
  TimestepEmbedding(const Weights& weights, int64_t in, int64_t out,
                    Activation activation = Activation::kSilu);
  // [B, in] -> [B, out]
  at::Tensor forward(const at::Tensor& x,
                     const EvalContext& adapters = NoAdapters()) const;
  bool AdaptedBy(const EvalContext& adapters) const {
    return adapters.Adapts(linear_1.name) || adapters.Adapts(linear_2.name);
  }

  Activation activation;
  Linear linear_1, linear_2;
};

}  // namespace genzo

#endif  // GENZO_WORKER_NN_TIMESTEP_EMBEDDING_H_
