#include "worker/denoiser/t2i_adapter.h"

#include <algorithm>

#include "ATen/TensorOperators.h"
#include "ATen/ops/avg_pool2d.h"
#include "ATen/ops/pixel_unshuffle.h"
#include "ATen/ops/zeros.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "c10/core/InferenceMode.h"
#include "worker/weights/json_config.h"

namespace genzo {
namespace {

constexpr ConvGeometry kSame = {.kernel = 3, .stride = 1, .padding = 1};
constexpr ConvGeometry kPointwise = {.kernel = 1, .stride = 1, .padding = 0};
constexpr int64_t kLightShare = 4;  // of a block's channels, inside

// Whether an adapter's block halves the sides of what it sees.
bool Halves(const T2IAdapterConfig& config, size_t block) {
  return config.xl ? block == 2 : block > 0;
}

// How often the sides were halved where level `level` of a U-Net's way down
// ends: behind its downsampling where nothing attends, see UNetDownBlock.
size_t HalvingsAt(const UNet2DConditionConfig& unet, size_t level) {
  const bool downsamples = level + 1 < unet.block_out_channels.size();
  return level + (downsamples && !unet.down_has_attention[level] ? 1 : 0);
}

// Features go a level each, as far as there are both: a level without one stays
// what it is, and of those that are left the first is for the middle, if it
// fits there.
absl::Status CheckLevels(const T2IAdapterConfig& config,
                         const std::string& path) {
  const std::vector<int64_t>& widths = config.unet.block_out_channels;
  const size_t levels = std::min(widths.size(), config.channels.size());
  const size_t first = HalvingsAt(config.unet, 0);
  size_t halvings = 0;
  for (size_t level = 0; level < levels; ++level) {
    halvings += Halves(config, level) ? 1 : 0;
    if (config.channels[level] != widths[level]) {
      return absl::InvalidArgumentError(absl::StrCat(
          path, ": features of ", absl::StrJoin(config.channels, ","),
          " channels do not fit a U-Net's ", absl::StrJoin(widths, ",")));
    }
    if (first + halvings != HalvingsAt(config.unet, level)) {
      return absl::InvalidArgumentError(absl::StrCat(
          path, ": the feature of level ", level,
          " is of other sides than the U-Net's, whose levels are halved "
          "elsewhere"));
    }
  }
  return absl::OkStatus();
}

// [1, 3, H, W] -> [1, 1, H, W], as PIL makes pictures grey.
at::Tensor Grey(const at::Tensor& rgb) {
  return 0.299 * rgb.narrow(1, 0, 1) + 0.587 * rgb.narrow(1, 1, 1) +
         0.114 * rgb.narrow(1, 2, 1);
}

}  // namespace

absl::StatusOr<T2IAdapterConfig> ReadT2IAdapterConfig(const TextFile& file) {
  auto json = JsonConfig::ReadFile(file);
  if (!json.ok()) return json.status();
  T2IAdapterConfig config;
  json->RequireString("_class_name", "T2IAdapter");
  const std::string type = json->String("adapter_type", "full_adapter");
  config.light = type == "light_adapter";
  config.xl = type == "full_adapter_xl";
  if (!config.light && !config.xl && type != "full_adapter") {
    json->Fail(absl::StatusCode::kUnimplemented, "adapter_type",
               "is not one of full_adapter, full_adapter_xl, light_adapter");
  }
  config.hint_channels = json->Int("in_channels", 3, 1, 3);
  config.downscale_factor = json->Int("downscale_factor", 8, 1, 64);
  config.resnets = json->Int("num_res_blocks", 2, 0, 64);
  config.channels = json->Ints("channels", {320, 640, 1280, 1280}, 4, 4096);
  if (config.hint_channels == 2) {
    json->Fail(absl::StatusCode::kUnimplemented, "in_channels",
               "is neither 1 nor 3");
  }
  if (config.channels.empty()) {
    json->Fail(absl::StatusCode::kInvalidArgument, "channels", "is empty");
  }
  if (!json->status().ok()) return json->status();
  // The last one halves the sides once more.
  if (config.light) config.channels.push_back(config.channels.back());
  const auto own = json->object().find("unet");
  if (own == json->object().end()) {
    return absl::InvalidArgumentError(
        absl::StrCat(file.path(), ": \"unet\" is missing"));
  }
  auto unet = ReadUNet2DConditionConfig(TextFile(file.path(), own->dump()));
  if (!unet.ok()) return unet.status();
  config.unet = *std::move(unet);
  const absl::Status fits = CheckLevels(config, file.path());
  if (!fits.ok()) return fits;
  return config;
}

T2IAdapter::Block T2IAdapter::MakeBlock(const Weights& weights, int64_t in,
                                        int64_t out, bool halves) const {
  Block block = {
      .halves = halves, .in_conv = {}, .resnets = {}, .out_conv = {}};
  const int64_t inside = config_.light ? out / kLightShare : out;
  if (config_.light || in != out) {
    block.in_conv.emplace(weights["in_conv"], in, inside, kPointwise);
  }
  for (int64_t i = 0; i < config_.resnets; ++i) {
    const Weights own = weights.At("resnets", i);
    block.resnets.push_back({Conv2d(own["block1"], inside, inside, kSame),
                             Conv2d(own["block2"], inside, inside,
                                    config_.light ? kSame : kPointwise)});
  }
  if (config_.light) {
    block.out_conv.emplace(weights["out_conv"], inside, out, kPointwise);
  }
  return block;
}

T2IAdapter::T2IAdapter(const T2IAdapterConfig& config, const Weights& weights)
    : config_(config) {
  const Weights own = weights["adapter"];
  const std::vector<int64_t>& channels = config.channels;
  int64_t in =
      config.hint_channels * config.downscale_factor * config.downscale_factor;
  if (!config.light) {
    conv_in_.emplace(own["conv_in"], in, channels.front(), kSame);
    in = channels.front();
  }
  for (size_t i = 0; i < channels.size(); ++i) {
    body_.push_back(MakeBlock(own.At("body", static_cast<int64_t>(i)), in,
                              channels[i], Halves(config, i)));
    in = channels[i];
  }
  const Conv2d& first = conv_in_.has_value() ? *conv_in_ : *body_[0].in_conv;
  placement_ = {.device = first.bias.device(),
                .dtype = first.bias.scalar_type()};
}

absl::StatusOr<PreparedRef> T2IAdapter::Prepare(
    const Conditioning& conditioning) const {
  c10::InferenceMode inference;
  const at::Tensor& hint = conditioning.image;
  if (!hint.defined() || hint.dim() != 4 || hint.size(1) != 3) {
    return absl::InvalidArgumentError(
        "conditioning image: this T2I-Adapter needs a hint [1, 3, height, "
        "width]");
  }
  for (const int64_t side : {hint.size(2), hint.size(3)}) {
    if (side % config_.downscale_factor == 0) continue;
    return absl::InvalidArgumentError(
        absl::StrCat("a T2I-Adapter of this kind needs sides that are "
                     "multiples of ",
                     config_.downscale_factor, ", not ", side));
  }
  auto prepared = std::make_shared<Prepared>();
  prepared->rows = conditioning.tokens.size(0);
  at::Tensor x = hint.to(placement_.device, placement_.dtype);
  if (config_.hint_channels == 1) x = Grey(x);
  x = at::pixel_unshuffle(x, config_.downscale_factor)
          .contiguous(at::MemoryFormat::ChannelsLast);
  if (conv_in_.has_value()) x = conv_in_->forward(x);
  for (const Block& block : body_) {
    if (block.halves) {
      x = at::avg_pool2d(x, {2, 2}, {2, 2}, /*padding=*/0, /*ceil_mode=*/true);
    }
    if (block.in_conv.has_value()) x = block.in_conv->forward(x);
    for (const Resnet& resnet : block.resnets) {
      x = resnet.block2.forward(resnet.block1.forward_relu(x)) + x;
    }
    if (block.out_conv.has_value()) x = block.out_conv->forward(x);
    std::vector<int64_t> sizes = x.sizes().vec();
    sizes[0] = prepared->rows;
    prepared->tensors.push_back(x.expand(sizes));  // [R, C, h, w]
  }
  return prepared;
}

at::Tensor T2IAdapter::EmbedTimes(const std::vector<float>& times) const {
  return at::zeros({static_cast<int64_t>(times.size())});
}

ControlResiduals T2IAdapter::Forward(const at::Tensor&, const at::Tensor&,
                                     const Prepared& prepared) const {
  ControlResiduals residuals;
  residuals.within = prepared.tensors;
  return residuals;
}

}  // namespace genzo
