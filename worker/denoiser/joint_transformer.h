#ifndef GENZO_WORKER_DENOISER_JOINT_TRANSFORMER_H_
#define GENZO_WORKER_DENOISER_JOINT_TRANSFORMER_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "worker/denoiser/conditioning.h"
#include "worker/nn/layers.h"
#include "worker/nn/timestep_embedding.h"

// What the diffusion transformers (mmdit, flux_transformer, dit) share. Their
// blocks are told time and conditioning by modulation: factors of a row, made
// of one vector, that scale, shift and gate what a block does (AdaLN-Zero,
// Peebles & Xie, arXiv:2212.09748).

namespace genzo {

// Normalises over the last dimension without factors of its own, then scales
// and shifts by row. x [B, L, D], scale and shift [B, D].
at::Tensor NormModulated(const at::Tensor& x, const at::Tensor& scale,
                         const at::Tensor& shift, double eps = 1e-6);

// residual [B, L, D] + gate [B, D] * x [B, L, D].
at::Tensor AddGated(const at::Tensor& residual, const at::Tensor& gate,
                    const at::Tensor& x);

// [B, C, H, W] -> [B, H/patch * W/patch, C * patch * patch], a patch's channels
// outermost. H and W are multiples of `patch`.
at::Tensor Patchify(const at::Tensor& x, int64_t patch);

// The way back: [B, h * w, patch * patch * C] -> [B, C, h * patch, w * patch].
// `channels_last` says how the last dimension is laid out: a patch's places
// outermost, as SD3 and DiT have it, or its channels, as FLUX has it.
at::Tensor Unpatchify(const at::Tensor& x, at::IntArrayRef grid, int64_t patch,
                      bool channels_last);

// A linear layer over patches, from the weights of a convolution with the
// patch as kernel and stride.
Linear PatchEmbedding(const Weights& weights, int64_t channels, int64_t patch,
                      int64_t width);

// `parts` factors of a row from the vector that is its time and conditioning.
struct Modulation {
  Modulation(const Weights& weights, int64_t width, int64_t parts);
  // vector [B, width], after its activation -> `parts` times [B, width].
  std::vector<at::Tensor> forward(const at::Tensor& vector,
                                  const EvalContext& adapters) const;

  Linear linear;
  int64_t parts;
};

// The end of such a network: normalised, scaled and shifted (in that order in
// checkpoints), projected.
struct ModulatedOutput {
  // Takes "norm_out.linear" and "proj_out" of `weights`.
  ModulatedOutput(const Weights& weights, int64_t width, int64_t out);
  at::Tensor forward(const at::Tensor& x, const at::Tensor& vector,
                     const EvalContext& adapters) const;

  Modulation norm_out;
  Linear proj_out;
};

// Two linear layers around a GELU in its tanh approximation.
struct FeedForward {
  FeedForward(const Weights& weights, int64_t width, int64_t hidden);
  at::Tensor forward(const at::Tensor& x, const EvalContext& adapters) const;

  Linear in, out;
};

// What a TimestepTable keeps of times for a network whose adapters may change
// `embedder`: sines [B, in] -> [B, width + in], what it makes of them, then
// they themselves.
at::Tensor EmbedWithSines(const TimestepEmbedding& embedder,
                          const at::Tensor& sines);
// What it makes of times that are kept so, [B, width]: anew for rows whose
// adapters change it. On a CPU the others keep their bits; elsewhere all rows
// are made anew where one has to be, as recordings do not know which.
at::Tensor EmbeddedTimes(const TimestepEmbedding& embedder,
                         const at::Tensor& kept, const EvalContext& adapters);

// x / sqrt(mean(x^2)) * weight over each head (arXiv:1910.07467).
struct HeadNorm {
  HeadNorm(const Weights& weights, int64_t head_dim);
  at::Tensor forward(const at::Tensor& x) const;  // [B, L, heads * head_dim]

  at::Tensor weight;  // [head_dim]
};

// Sizes of attention heads.
struct HeadsConfig {
  int64_t width = 0;  // of a token
  int64_t heads = 1;
  int64_t head_dim = 0;
  bool qk_norm = false;

  int64_t inner() const { return heads * head_dim; }
};

// Names that a checkpoint gives the layers of one stream of tokens.
struct StreamNames {
  const char *q, *k, *v, *norm_q, *norm_k;
};
inline constexpr StreamNames kImageStream = {"to_q", "to_k", "to_v", "norm_q",
                                             "norm_k"};
inline constexpr StreamNames kTextStream = {
    "add_q_proj", "add_k_proj", "add_v_proj", "norm_added_q", "norm_added_k"};

// [B, L, inner] each.
struct QueryKeyValue {
  at::Tensor q, k, v;
};

// Tokens of `a`, then those of `b`.
QueryKeyValue Join(const QueryKeyValue& a, const QueryKeyValue& b);

// What the first `places` tokens get where each attends to itself and to those
// behind them, not to its neighbours: [B, places, inner]. Reference: diffusers'
// PAGJointAttnProcessor2_0.
at::Tensor AttendAlone(const QueryKeyValue& all, int64_t heads, int64_t places);

// Queries, keys and values of one stream of tokens.
struct StreamProjection {
  StreamProjection(const Weights& weights, const StreamNames& names,
                   const HeadsConfig& config);
  // x [B, L, width]
  QueryKeyValue forward(const at::Tensor& x, const EvalContext& adapters) const;

  Linear to_q, to_k, to_v;
  std::optional<HeadNorm> norm_q, norm_k;
};

// The first of conditioning's tensors that is there though its name is not in
// `known`, or is missing though it is: INVALID_ARGUMENT saying so of `network`.
absl::Status CheckConditioning(const Conditioning& conditioning,
                               const std::vector<std::string>& known,
                               const std::string& network);

// The rows' adapters, for what depends on the conditioning alone.
EvalContext AdaptersOf(const Conditioning& conditioning, int64_t rows);

}  // namespace genzo

#endif  // GENZO_WORKER_DENOISER_JOINT_TRANSFORMER_H_
