#include "worker/upscale/rrdb_net.h"

#include <algorithm>
#include <map>

#include "ATen/ops/cat.h"
#include "ATen/ops/leaky_relu.h"
#include "ATen/ops/pixel_unshuffle.h"
#include "ATen/ops/upsample_nearest2d.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"

namespace genzo {
namespace {

constexpr int kDensePerBlock = 3;
constexpr int kConvsPerDense = 5;
constexpr double kResidual = 0.2;
constexpr double kSlope = 0.2;

const char* const kWrappers[] = {"params_ema.", "params.", "state_dict.", ""};

// The wrapper under which `tensor` lies; null if nowhere.
const char* WrapperOf(const TensorSource& source, const std::string& tensor) {
  for (const char* wrapper : kWrappers) {
    if (source.entries().count(wrapper + tensor) > 0) return wrapper;
  }
  return nullptr;
}

using Names = std::map<std::string, std::string>;  // ours by theirs

// "RRDB_trunk.0.RDB1.conv1.weight" -> "body.0.rdb1.conv1.weight".
std::string FromEsrgan(const std::string& name) {
  return absl::StrReplaceAll(name, {{"RRDB_trunk.", "body."},
                                    {".RDB", ".rdb"},
                                    {"trunk_conv.", "conv_body."},
                                    {"upconv", "conv_up"},
                                    {"HRconv.", "conv_hr."}});
}

// The first ESRGAN counts layers, those without weights among them:
// "model.1.sub.0.RDB1.conv1.0.weight"; "model.3.weight" is the first behind a
// doubling, the last but one conv_hr, the last conv_last.
Names FromFirstEsrgan(const std::vector<std::string>& names) {
  std::vector<int> layers;
  int last_block = 0;
  for (const std::string& name : names) {
    const std::vector<std::string> parts = absl::StrSplit(name, '.');
    int number = 0;
    if (parts.size() == 3 && parts[2] == "weight" &&
        absl::SimpleAtoi(parts[1], &number) && number > 1) {
      layers.push_back(number);
    }
    if (parts.size() > 3 && absl::SimpleAtoi(parts[3], &number)) {
      last_block = std::max(last_block, number);
    }
  }
  std::sort(layers.begin(), layers.end());
  std::map<std::string, std::string> top = {
      {"model.0", "conv_first"},
      {absl::StrCat("model.1.sub.", last_block), "conv_body"}};
  for (size_t i = 0; i < layers.size(); ++i) {
    const size_t from_end = layers.size() - i;
    top[absl::StrCat("model.", layers[i])] =
        from_end == 1   ? "conv_last"
        : from_end == 2 ? "conv_hr"
                        : absl::StrCat("conv_up", i + 1);
  }
  Names ours;
  for (const std::string& name : names) {
    const size_t dot = name.rfind('.');
    const auto found = top.find(name.substr(0, dot));
    if (found != top.end()) {
      ours[name] = found->second + name.substr(dot);
    } else {
      ours[name] = absl::StrReplaceAll(name, {{"model.1.sub.", "body."},
                                              {".RDB", ".rdb"},
                                              {".0.weight", ".weight"},
                                              {".0.bias", ".bias"}});
    }
  }
  return ours;
}

// Of everything under `wrapper`.
Names NamesUnder(const TensorSource& source, const std::string& wrapper,
                 bool first_esrgan) {
  std::vector<std::string> names;
  for (const auto& entry : source.entries()) {
    if (absl::StartsWith(entry.first, wrapper)) {
      names.push_back(entry.first.substr(wrapper.size()));
    }
  }
  if (first_esrgan) return FromFirstEsrgan(names);
  Names ours;
  for (const std::string& name : names) ours[name] = FromEsrgan(name);
  return ours;
}

// Shape and number of layers as the names here tell them.
class Shapes {
 public:
  Shapes(const TensorSource& source, const RenameTable& names) {
    for (const auto& [theirs, ours] : names) {
      shapes_[ours] = source.entries().at(theirs).shape;
    }
  }
  // 0 where there is no such convolution.
  int64_t Out(const std::string& layer) const { return Dim(layer, 0); }
  int64_t In(const std::string& layer) const { return Dim(layer, 1); }
  // How many of format(0), format(1), ... there are.
  template <typename Format>
  int64_t Count(int64_t first, const Format& format) const {
    int64_t number = first;
    while (Out(format(number)) > 0) ++number;
    return number - first;
  }

 private:
  int64_t Dim(const std::string& layer, size_t dim) const {
    const auto found = shapes_.find(layer + ".weight");
    return found == shapes_.end() || found->second.size() != 4
               ? 0
               : found->second[dim];
  }

  std::map<std::string, std::vector<int64_t>> shapes_;
};

// In place.
at::Tensor Activated(at::Tensor x) { return at::leaky_relu_(x, kSlope); }

}  // namespace

std::optional<RrdbNetFile> ReadRrdbNet(const TensorSource& source) {
  const char* wrapper = WrapperOf(source, "conv_first.weight");
  const bool first_esrgan = wrapper == nullptr;
  if (first_esrgan) {
    wrapper = WrapperOf(source, "model.1.sub.0.RDB1.conv1.0.weight");
  }
  if (wrapper == nullptr) return std::nullopt;
  RrdbNetFile file;
  for (const auto& [theirs, ours] : NamesUnder(source, wrapper, first_esrgan)) {
    file.names[wrapper + theirs] = ours;
  }
  const Shapes shapes(source, file.names);
  RrdbNetConfig& config = file.config;
  config.features = shapes.Out("conv_first");
  config.growth = shapes.Out("body.0.rdb1.conv1");
  config.blocks = shapes.Count(
      0, [](int64_t i) { return absl::StrCat("body.", i, ".rdb1.conv1"); });
  config.doublings =
      shapes.Count(1, [](int64_t i) { return absl::StrCat("conv_up", i); });
  const int64_t folded = shapes.In("conv_first") / 3;  // pixels in channels
  config.unshuffle = folded == 16 ? 4 : folded == 4 ? 2 : 1;
  if (shapes.In("conv_first") != 3 * config.unshuffle * config.unshuffle ||
      shapes.Out("conv_last") != 3 || config.growth == 0 ||
      config.doublings > 3 || (1 << config.doublings) < config.unshuffle) {
    return std::nullopt;
  }
  return file;
}

UpscalerTraits TraitsOf(const RrdbNetConfig& config) {
  constexpr int kBytes = 4;
  const int64_t inner = int64_t{1} << config.doublings;
  UpscalerTraits traits;
  traits.architecture = "RRDBNet";
  traits.scale = static_cast<int>(inner / config.unshuffle);
  // As spandrel pads for it, which is more than the unshuffle needs.
  traits.multiple = config.unshuffle == 1 ? 1 : 4;
  traits.minimum = config.unshuffle == 1 ? 2 : 4;
  // Before the doublings every convolution looks one place further; those
  // behind the k-th doubling 1 / 2^k of one, so all of them at most two.
  const int64_t places =
      2 + config.blocks * kDensePerBlock * kConvsPerDense + 2;
  traits.reach = static_cast<int>(places * config.unshuffle);
  // At the last doubling: a map, the larger one and what a convolution makes
  // of it. A dense block has its layers side by side, twice.
  const int64_t last = config.features * inner * inner * 9 / 4;
  const int64_t dense =
      2 * (config.features + (kConvsPerDense - 1) * config.growth) +
      3 * config.features;
  traits.bytes_per_pixel =
      std::max(last, dense) * kBytes / (config.unshuffle * config.unshuffle) +
      1;
  const int64_t f = config.features;
  int64_t dense_weights = 0;
  for (int64_t i = 0; i < kConvsPerDense; ++i) {
    dense_weights +=
        (f + i * config.growth) * (i + 1 == kConvsPerDense ? f : config.growth);
  }
  traits.weight_bytes = 9 * kBytes *
                        (config.blocks * kDensePerBlock * dense_weights +
                         f * f * (2 + config.doublings) +
                         f * 3 * (1 + config.unshuffle * config.unshuffle));
  return traits;
}

RrdbNet::DenseBlock::DenseBlock(const Weights& weights, int64_t features,
                                int64_t growth) {
  for (int64_t i = 0; i < kConvsPerDense; ++i) {
    convs.emplace_back(weights[absl::StrCat("conv", i + 1)],
                       features + i * growth,
                       i + 1 == kConvsPerDense ? features : growth);
  }
}

at::Tensor RrdbNet::DenseBlock::forward(const at::Tensor& x) const {
  std::vector<at::Tensor> maps = {x};
  for (int i = 0; i + 1 < kConvsPerDense; ++i) {
    const at::Tensor joined = i == 0 ? x : at::cat(maps, 1);
    maps.push_back(Activated(convs[i].forward(joined)));
  }
  return convs.back().forward(at::cat(maps, 1)).mul_(kResidual).add_(x);
}

RrdbNet::RrdbNet(const RrdbNetConfig& config, const Weights& weights,
                 const c10::Device& device)
    : config_(config),
      traits_(TraitsOf(config)),
      device_(device),
      conv_first_(weights["conv_first"],
                  3 * config.unshuffle * config.unshuffle, config.features),
      conv_body_(weights["conv_body"], config.features, config.features),
      conv_hr_(weights["conv_hr"], config.features, config.features),
      conv_last_(weights["conv_last"], config.features, 3) {
  for (int64_t i = 0; i < config.blocks; ++i) {
    for (int j = 1; j <= kDensePerBlock; ++j) {
      blocks_.emplace_back(weights.At("body", i)[absl::StrCat("rdb", j)],
                           config.features, config.growth);
    }
  }
  for (int64_t i = 1; i <= config.doublings; ++i) {
    conv_ups_.emplace_back(weights[absl::StrCat("conv_up", i)], config.features,
                           config.features);
  }
}

at::Tensor RrdbNet::Enlarge(const at::Tensor& pixels) const {
  at::Tensor x = config_.unshuffle == 1
                     ? pixels
                     : at::pixel_unshuffle(pixels, config_.unshuffle);
  x = conv_first_.forward(x.contiguous(at::MemoryFormat::ChannelsLast));
  at::Tensor h = x;  // [1, features, H, W]
  for (size_t i = 0; i < blocks_.size(); i += kDensePerBlock) {
    at::Tensor inside = h;
    for (int j = 0; j < kDensePerBlock; ++j) {
      inside = blocks_[i + j].forward(inside);
    }
    h = inside.mul_(kResidual).add_(h);
  }
  x = conv_body_.forward_add(h, x);
  h.reset();
  for (const Conv2d& conv : conv_ups_) {
    x = at::upsample_nearest2d(x, {2 * x.size(2), 2 * x.size(3)});
    x = Activated(conv.forward(x));
  }
  x = Activated(conv_hr_.forward(x));
  return conv_last_.forward(x);
}

}  // namespace genzo
