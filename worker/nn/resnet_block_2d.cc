#include "worker/nn/resnet_block_2d.h"

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

int64_t ResnetBlock2D::time_channels() const {
  if (!time_emb_proj.has_value()) return 0;
  return config.scale_shift ? 2 * norm2.weight.size(0) : norm2.weight.size(0);
}

at::Tensor ResnetBlock2D::ProjectTime(const at::Tensor& temb,
                                      const EvalContext& adapters) const {
  return time_emb_proj->forward(temb, adapters).to(at::kFloat);
}

at::Tensor ResnetBlock2D::forward(const at::Tensor& x, const at::Tensor& time,
                                  const EvalContext& adapters) const {
  // [B, out, H, W]
  at::Tensor h =
      conv1.forward(norm1.forward_through(config.activation, x), adapters);
  if (config.scale_shift && time_emb_proj.has_value()) {
    const auto parts =
        time.to(h.scalar_type()).unsqueeze(-1).unsqueeze(-1).chunk(2, 1);
    h = Activate(norm2.forward(h) * (1 + parts[0]) + parts[1],
                 config.activation);
  } else {
    h = norm2.forward_through(config.activation, h, time);
  }
  const at::Tensor sum = conv2.forward_add(
      h, conv_shortcut.has_value() ? conv_shortcut->forward(x, adapters) : x,
      adapters);
  return config.output_scale_factor == 1 ? sum
                                         : sum / config.output_scale_factor;
}

}  // namespace genzo
