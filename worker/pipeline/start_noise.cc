#include "worker/pipeline/start_noise.h"

#include <algorithm>

#include "ATen/TensorOperators.h"
#include "ATen/ops/acos.h"
#include "ATen/ops/sin.h"
#include "ATen/ops/where.h"
#include "worker/sampler/cuda_noise.h"

namespace genzo {
namespace {

constexpr double kParallel = 0.9995;  // cosine
constexpr double kSine = 1e-3;        // below it, rounding is all there is
constexpr int64_t kRows = 2;          // dimension

at::Tensor Normalised(const at::Tensor& noise) {
  return noise / noise.norm(2, kRows, /*keepdim=*/true);
}

// Where `inner` places begin in one another, along one dimension.
struct Overlap {
  int64_t in_inner, in_outer, count;
};

Overlap OverlapOf(int64_t inner, int64_t outer) {
  // As Python's //, down also below 0.
  const int64_t difference = outer - inner;
  const int64_t shift = (difference - (difference < 0 ? 1 : 0)) / 2;
  if (shift >= 0) return {0, shift, inner};
  return {-shift, 0, std::min(inner + 2 * shift, outer)};
}

}  // namespace

at::Tensor MixNoise(double share, const at::Tensor& low,
                    const at::Tensor& high) {
  const at::Tensor cosine =
      (Normalised(low) * Normalised(high)).sum(kRows, /*keepdim=*/true);
  // The two are the same in all but name; the reference mixes them so.
  if (cosine.mean().item<double>() > kParallel) {
    return low * share + high * (1 - share);
  }
  const at::Tensor angle = at::acos(cosine);
  const at::Tensor sine = at::sin(angle);
  const at::Tensor mixed = at::sin((1 - share) * angle) / sine * low +
                           at::sin(share * angle) / sine * high;
  return at::where(sine > kSine, mixed, low * (1 - share) + high * share);
}

at::Tensor PlaceNoise(const at::Tensor& inner, const at::Tensor& outer) {
  const Overlap rows = OverlapOf(inner.size(2), outer.size(2));
  const Overlap columns = OverlapOf(inner.size(3), outer.size(3));
  at::Tensor placed = outer.clone();
  placed.narrow(2, rows.in_outer, rows.count)
      .narrow(3, columns.in_outer, columns.count)
      .copy_(inner.narrow(2, rows.in_inner, rows.count)
                 .narrow(3, columns.in_inner, columns.count));
  return placed;
}

at::Tensor StartNoise(const ImageRequest& image, const LatentCodec& codec) {
  const v1::GenerateRequest& request = image.request;
  const v1::Variation& variation = request.variation();
  const int64_t scale = codec.pixels_per_latent();
  const std::vector<int64_t> sizes = {1, codec.latent_channels(),
                                      request.height() / scale,
                                      request.width() / scale};
  std::vector<int64_t> drawn = sizes;
  if (variation.has_resize_from_width()) {
    drawn[2] = variation.resize_from_height() / scale;
    drawn[3] = variation.resize_from_width() / scale;
  }
  const at::Tensor own = image.noise->Draw(sizes);
  // A second pass has the first one's picture to vary.
  if (image.latent.defined()) return own;
  at::Tensor noise = own;
  if (drawn != sizes) {
    noise = MakeNoise(request.noise_generator(), image.seed)->Draw(drawn);
  }
  if (variation.strength() > 0) {
    const at::Tensor other =
        MakeNoise(request.noise_generator(), image.variation_seed)->Draw(drawn);
    noise = MixNoise(variation.strength(), noise, other);
  }
  return drawn == sizes ? noise : PlaceNoise(noise, own);
}

}  // namespace genzo
