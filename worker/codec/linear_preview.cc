#include "worker/codec/linear_preview.h"

#include <cmath>
#include <vector>

#include "ATen/TensorOperators.h"
#include "ATen/ops/adaptive_avg_pool2d.h"
#include "ATen/ops/cat.h"
#include "ATen/ops/linalg_lstsq.h"
#include "ATen/ops/matmul.h"
#include "ATen/ops/ones.h"
#include "ATen/ops/tensor.h"
#include "ATen/ops/upsample_bilinear2d.h"
#include "absl/strings/str_cat.h"
#include "worker/sampler/noise_source.h"
#include "worker/weights/json_config.h"

namespace genzo {
namespace {

constexpr char kFactors[] = "latent_rgb_factors";
constexpr char kBias[] = "latent_rgb_factors_bias";

bool IsColour(const nlohmann::json& value) {
  if (!value.is_array() || value.size() != 3) return false;
  for (const nlohmann::json& part : value) {
    if (!part.is_number() || std::abs(part.get<double>()) > 1e6) return false;
  }
  return true;
}

void Append(const nlohmann::json& colour, std::vector<float>& values) {
  for (const nlohmann::json& part : colour) values.push_back(part);
}

}  // namespace

absl::StatusOr<LinearPreview> LinearPreview::ReadFile(const TextFile& file,
                                                      int64_t latent_channels) {
  const auto json = JsonConfig::ReadFile(file);
  if (!json.ok()) return json.status();
  const nlohmann::json factors =
      json->object().value(kFactors, nlohmann::json());
  const nlohmann::json bias =
      json->object().value(kBias, nlohmann::json::array({0, 0, 0}));
  const auto bad = [&](const std::string& key, const std::string& need) {
    return absl::InvalidArgumentError(
        absl::StrCat(file.path(), ": ", key, " is not ", need));
  };
  if (!factors.is_array() ||
      static_cast<int64_t>(factors.size()) != latent_channels) {
    return bad(kFactors, absl::StrCat("a list of the ", latent_channels,
                                      " latent channels"));
  }
  std::vector<float> values;
  for (const nlohmann::json& colour : factors) {
    if (!IsColour(colour)) return bad(kFactors, "a list of [r, g, b]");
    Append(colour, values);
  }
  if (!IsColour(bias)) return bad(kBias, "[r, g, b]");
  Append(bias, values);
  return LinearPreview(at::tensor(values).view({latent_channels + 1, 3}));
}

LinearPreview LinearPreview::Fit(
    int64_t latent_channels,
    const std::function<at::Tensor(const at::Tensor&)>& decode) {
  // Pictures are smooth: a coarse pattern carries the colours, finer noise
  // keeps the regression well-posed.
  constexpr int64_t kSide = 16;
  SeededNoise noise(/*seed=*/1);
  const at::Tensor latents =
      at::upsample_bilinear2d(noise.Draw({1, latent_channels, 4, 4}),
                              {kSide, kSide},
                              /*align_corners=*/false) *
          1.5 +
      noise.Draw({1, latent_channels, kSide, kSide}) * 0.3;
  const at::Tensor colours =
      at::adaptive_avg_pool2d(decode(latents), {kSide, kSide});
  const at::Tensor places = latents[0].flatten(1).t();  // [places, C]
  const at::Tensor inputs = at::cat({places, at::ones({kSide * kSide, 1})}, 1);
  return LinearPreview(std::get<0>(
      at::linalg_lstsq(inputs, colours[0].flatten(1).t().contiguous())));
}

at::Tensor LinearPreview::decode(const at::Tensor& latents) const {
  const at::Tensor places = latents.permute({0, 2, 3, 1});  // [B, h, w, C]
  const int64_t channels = latents.size(1);
  return (at::matmul(places, factors_.narrow(0, 0, channels)) +
          factors_[channels])
      .permute({0, 3, 1, 2});
}

}  // namespace genzo
