#include "worker/nn/timestep_embedding.h"

#include <cmath>

#include "ATen/ops/arange.h"
#include "ATen/ops/cat.h"
#include "ATen/ops/cos.h"
#include "ATen/ops/exp.h"
#include "ATen/ops/sin.h"

namespace genzo {

at::Tensor ProjectTimesteps(const at::Tensor& timesteps,
                            const TimestepProjection& projection) {
  constexpr double kMaxPeriod = 10000;
  const int64_t half = projection.dim / 2;
  const at::Tensor exponent =
      at::arange(half, timesteps.options()) * -std::log(kMaxPeriod) /
      (static_cast<double>(half) - projection.freq_shift);
  const at::Tensor angles =
      timesteps.unsqueeze(1) * at::exp(exponent).unsqueeze(0);  // [B, half]
  const at::Tensor sines = at::sin(angles);
  const at::Tensor cosines = at::cos(angles);
  return projection.flip_sin_to_cos ? at::cat({cosines, sines}, 1)
                                    : at::cat({sines, cosines}, 1);
}

TimestepEmbedding::TimestepEmbedding(const Weights& weights, int64_t in,
                                     int64_t out, Activation activation)
    : activation(activation),
      linear_1(weights["linear_1"], in, out),
      linear_2(weights["linear_2"], out, out) {}

at::Tensor TimestepEmbedding::forward(const at::Tensor& x,
                                      const EvalContext& adapters) const {
  return linear_2.forward(Activate(linear_1.forward(x, adapters), activation),
                          adapters);
}

}  // namespace genzo
