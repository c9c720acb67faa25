#include "worker/denoiser/joint_transformer.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "ATen/ops/cat.h"
#include "ATen/ops/chunk.h"
#include "ATen/ops/gelu.h"
#include "ATen/ops/layer_norm.h"
#include "ATen/ops/matmul.h"
#include "ATen/ops/rms_norm.h"
#include "ATen/ops/softmax.h"
#include "absl/strings/str_cat.h"
#include "worker/kernels/row_bits.h"

namespace genzo {
namespace {

constexpr double kHeadNormEps = 1e-6;

}  // namespace

at::Tensor NormModulated(const at::Tensor& x, const at::Tensor& scale,
                         const at::Tensor& shift, double eps) {
  return at::layer_norm(x, {x.size(-1)}, /*weight=*/{}, /*bias=*/{}, eps) *
             (1 + scale.unsqueeze(1)) +
         shift.unsqueeze(1);
}

at::Tensor AddGated(const at::Tensor& residual, const at::Tensor& gate,
                    const at::Tensor& x) {
  return residual + gate.unsqueeze(1) * x;
}

at::Tensor Patchify(const at::Tensor& x, int64_t patch) {
  return x.unflatten(3, {-1, patch})
      .unflatten(2, {-1, patch})    // [B, C, h, p, w, p]
      .permute({0, 2, 4, 1, 3, 5})  // [B, h, w, C, p, p]
      .flatten(3)
      .flatten(1, 2);
}

at::Tensor Unpatchify(const at::Tensor& x, at::IntArrayRef grid, int64_t patch,
                      bool channels_last) {
  const at::Tensor places = x.unflatten(1, grid);  // [B, h, w, ...]
  return (channels_last ? places.unflatten(3, {patch, patch, -1})
                              .permute({0, 5, 1, 3, 2, 4})
                        : places.unflatten(3, {-1, patch, patch})
                              .permute({0, 3, 1, 4, 2, 5}))
      .flatten(4)
      .flatten(2, 3);
}

Linear PatchEmbedding(const Weights& weights, int64_t channels, int64_t patch,
                      int64_t width) {
  const at::Tensor kernel =
      weights.Get("weight", {width, channels, patch, patch});
  // Not where Weights reports a fault.
  return Linear(kernel.dim() == 4 ? kernel.flatten(1) : kernel,
                weights.Get("bias", {width}), weights.path());
}

Modulation::Modulation(const Weights& weights, int64_t width, int64_t parts)
    : linear(weights["linear"], width, parts * width), parts(parts) {}

std::vector<at::Tensor> Modulation::forward(const at::Tensor& vector,
                                            const EvalContext& adapters) const {
  return linear.forward(vector, adapters).chunk(parts, 1);
}

ModulatedOutput::ModulatedOutput(const Weights& weights, int64_t width,
                                 int64_t out)
    : norm_out(weights["norm_out"], width, /*parts=*/2),
      proj_out(weights["proj_out"], width, out) {}

at::Tensor ModulatedOutput::forward(const at::Tensor& x,
                                    const at::Tensor& vector,
                                    const EvalContext& adapters) const {
  const auto factors = norm_out.forward(vector, adapters);
  return proj_out.forward(NormModulated(x, factors[0], factors[1]), adapters);
}

FeedForward::FeedForward(const Weights& weights, int64_t width, int64_t hidden)
    : in(weights.At("net", 0)["proj"], width, hidden),
      out(weights.At("net", 2), hidden, width) {}

at::Tensor FeedForward::forward(const at::Tensor& x,
                                const EvalContext& adapters) const {
  at::Tensor h = in.forward(x, adapters);
  return out.forward(at::gelu_(h, "tanh"), adapters);
}

at::Tensor EmbedWithSines(const TimestepEmbedding& embedder,
                          const at::Tensor& sines) {
  return at::cat({embedder.forward(sines), sines}, 1);
}

at::Tensor EmbeddedTimes(const TimestepEmbedding& embedder,
                         const at::Tensor& kept, const EvalContext& adapters) {
  const int64_t width = embedder.linear_2.outputs;
  const at::Tensor plain = kept.narrow(1, 0, width);
  if (!embedder.AdaptedBy(adapters)) return plain;
  const at::Tensor sines = kept.narrow(1, width, kept.size(1) - width);
  if (!kept.is_cpu()) return embedder.forward(sines, adapters);
  return RowByRow(kept.size(0), [&](int64_t row) {
    const EvalContext own = adapters.OfRow(row);
    return embedder.AdaptedBy(own)
               ? embedder.forward(sines.narrow(0, row, 1), own)
               : plain.narrow(0, row, 1);
  });
}

HeadNorm::HeadNorm(const Weights& weights, int64_t head_dim)
    : weight(weights.Get("weight", {head_dim})) {}

at::Tensor HeadNorm::forward(const at::Tensor& x) const {
  const int64_t head_dim = weight.size(0);
  return at::rms_norm(x.unflatten(-1, {-1, head_dim}), {head_dim}, weight,
                      kHeadNormEps)
      .flatten(-2);
}

QueryKeyValue Join(const QueryKeyValue& a, const QueryKeyValue& b) {
  return {.q = at::cat({a.q, b.q}, 1),
          .k = at::cat({a.k, b.k}, 1),
          .v = at::cat({a.v, b.v}, 1)};
}

at::Tensor AttendAlone(const QueryKeyValue& all, int64_t heads,
                       int64_t places) {
  const auto by_head = [&](const at::Tensor& tokens) {
    return tokens.unflatten(-1, {heads, -1}).transpose(1, 2);  // [B, H, T, D]
  };
  const int64_t others = all.k.size(1) - places;
  const at::Tensor q = by_head(all.q.narrow(1, 0, places));
  const at::Tensor k = by_head(all.k);
  const at::Tensor v = by_head(all.v);
  const at::Tensor own = (q * k.narrow(2, 0, places)).sum(-1, /*keepdim=*/true);
  const at::Tensor of_others =
      at::matmul(q, k.narrow(2, places, others).transpose(2, 3));
  const double scale = 1 / std::sqrt(static_cast<double>(q.size(3)));
  const at::Tensor weights =
      at::softmax(at::cat({own, of_others}, 3) * scale, -1, at::kFloat)
          .to(v.scalar_type());  // [B, H, places, 1 + others]
  return (weights.narrow(3, 0, 1) * v.narrow(2, 0, places) +
          at::matmul(weights.narrow(3, 1, others), v.narrow(2, places, others)))
      .transpose(1, 2)
      .flatten(2);
}

StreamProjection::StreamProjection(const Weights& weights,
                                   const StreamNames& names,
                                   const HeadsConfig& config)
    : to_q(weights[names.q], config.width, config.inner()),
      to_k(weights[names.k], config.width, config.inner()),
      to_v(weights[names.v], config.width, config.inner()) {
  if (!config.qk_norm) return;
  norm_q.emplace(weights[names.norm_q], config.head_dim);
  norm_k.emplace(weights[names.norm_k], config.head_dim);
}

QueryKeyValue StreamProjection::forward(const at::Tensor& x,
                                        const EvalContext& adapters) const {
  QueryKeyValue made = {.q = to_q.forward(x, adapters),
                        .k = to_k.forward(x, adapters),
                        .v = to_v.forward(x, adapters)};
  if (norm_q.has_value()) {
    made.q = norm_q->forward(made.q);
    made.k = norm_k->forward(made.k);
  }
  return made;
}

absl::Status CheckConditioning(const Conditioning& conditioning,
                               const std::vector<std::string>& known,
                               const std::string& network) {
  const std::pair<const char*, const at::Tensor*> all[] = {
      {"tokens", &conditioning.tokens},
      {"token_mask", &conditioning.token_mask},
      {"pooled", &conditioning.pooled},
      {"numbers", &conditioning.numbers},
      {"image", &conditioning.image}};
  for (const auto& [name, tensor] : all) {
    const bool takes = std::count(known.begin(), known.end(), name) > 0;
    if (takes == tensor->defined()) continue;
    return absl::InvalidArgumentError(
        absl::StrCat("conditioning ", name, ": ", network,
                     takes ? " needs it" : " does not take it"));
  }
  return absl::OkStatus();
}

EvalContext AdaptersOf(const Conditioning& conditioning, int64_t rows) {
  if (conditioning.adapters == nullptr) return EvalContext();
  return EvalContext(
      {{.first_row = 0, .rows = rows, .adapters = conditioning.adapters}});
}

}  // namespace genzo
