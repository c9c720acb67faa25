#include "worker/model/resnet_block_2d.h"

#include "ATen/ops/silu.h"

namespace genzo {

ResnetBlock2D::ResnetBlock2D(const Weights& weights, int64_t in, int64_t out,
                             const ResnetConfig& config)
    : config(config),
      norm1(weights["norm1"], config.norm_num_groups, in, config.eps),
      conv1(weights["conv1"], in, out),
      norm2(weights["norm2"], config.norm_num_groups, out, config.eps),
      conv2(weights["conv2"], out, out) {
  if (config.temb_channels > 0) {
    time_emb_proj.emplace(weights["time_emb_proj"], config.temb_channels,
                          config.scale_shift ? 2 * out : out);
  }
  if (in != out) {
    conv_shortcut.emplace(weights["conv_shortcut"], in, out,
                          ConvGeometry{.kernel = 1, .stride = 1, .padding = 0});
  }
}

at::Tensor ResnetBlock2D::forward(const at::Tensor& x,
                                  const at::Tensor& temb) const {
  at::Tensor h = conv1.forward(at::silu(norm1.forward(x)));  // [B, out, H, W]
  at::Tensor time;
  if (time_emb_proj.has_value()) {
    time = time_emb_proj->forward(at::silu(temb)).unsqueeze(-1).unsqueeze(-1);
  }
  if (time.defined() && !config.scale_shift) h = h + time;
  h = norm2.forward(h);
  if (time.defined() && config.scale_shift) {
    const auto parts = time.chunk(2, 1);
    h = h * (1 + parts[0]) + parts[1];
  }
  h = conv2.forward(at::silu(h));
  const at::Tensor skip =
      conv_shortcut.has_value() ? conv_shortcut->forward(x) : x;
  const at::Tensor sum = skip + h;
  return config.output_scale_factor == 1 ? sum
                                         : sum / config.output_scale_factor;
}

}  // namespace genzo
