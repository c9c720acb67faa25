#include "worker/pipeline/ip_adapter.h"

#include <algorithm>
#include <exception>
#include <filesystem>
#include <utility>

#include "ATen/ops/cat.h"
#include "ATen/ops/gelu.h"
#include "ATen/ops/zeros.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "c10/core/InferenceMode.h"
#include "worker/device/device_stream.h"
#include "worker/device/exception_status.h"
#include "worker/nn/attention.h"
#include "worker/weights/component.h"
#include "worker/weights/component_folder.h"
#include "worker/weights/single_file/name_rules.h"
#include "worker/weights/single_file/single_file.h"

namespace genzo {
namespace {

namespace fs = std::filesystem;

constexpr char kEncoder[] = "image_encoder";
constexpr double kNormEps = 1e-5;
constexpr int64_t kHeadWidth = 64;  // of a resampler, always
constexpr int64_t kMostLayers = 256;

using Shape = std::vector<int64_t>;

// Empty for a tensor that is not there.
Shape ShapeOf(const TensorSource& source, const std::string& name) {
  const auto found = source.entries().find(name);
  return found == source.entries().end() ? Shape() : found->second.shape;
}

// The numbers of its layers, which leave out those of self-attention.
std::vector<int64_t> LayerNumbers(const TensorSource& source) {
  std::vector<int64_t> numbers;
  for (const auto& entry : source.entries()) {
    const std::vector<std::string> parts = absl::StrSplit(entry.first, '.');
    int64_t number = 0;
    if (parts.size() == 4 && parts[0] == "ip_adapter" &&
        parts[2] == "to_k_ip" && absl::SimpleAtoi(parts[1], &number)) {
      numbers.push_back(number);
    }
  }
  std::sort(numbers.begin(), numbers.end());
  return numbers;
}

// The encoder of what the projection reads.
absl::StatusOr<std::string> EncoderFolder(const std::string& path,
                                          int64_t embedding, int64_t states) {
  const fs::path folder = fs::path(path).parent_path();
  absl::Status status = absl::NotFoundError(
      absl::StrCat(path, ": there is no image encoder in the folder ", kEncoder,
                   " beside it or in ../models"));
  for (const fs::path& candidate :
       {folder / kEncoder, folder.parent_path() / "models" / kEncoder}) {
    std::error_code ignored;
    const std::string file = (candidate / "config.json").string();
    if (!fs::exists(file, ignored)) continue;
    const auto config = ReadClipVisionConfig(TextFile(file));
    if (!config.ok()) return config.status();
    if ((embedding > 0 && config->projection_dim == embedding) ||
        (states > 0 && config->hidden_size == states)) {
      return candidate.string();
    }
    status = absl::InvalidArgumentError(
        absl::StrCat(path, ": reads ", std::max(embedding, states),
                     " numbers of a picture, which the encoder ",
                     candidate.string(), " does not give"));
  }
  return status;
}

absl::StatusOr<int64_t> ElementsOf(const TensorSource& source) {
  int64_t elements = 0;
  for (const auto& entry : source.entries()) {
    elements += entry.second.elements();
  }
  return elements;
}

}  // namespace

// What shapes say.
struct IpAdapter::Sizes {
  std::shared_ptr<const TensorSource> tensors;
  std::string encoder;    // folder
  int64_t width = 0;      // of a token
  int64_t embedding = 0;  // that a plain one reads
  int64_t states = 0;     // of that width a plus one reads
  int64_t tokens = 0;     // of one picture
  // Of a plus one's resampler.
  int64_t latent_width = 0;
  int64_t inner = 0;  // of all heads
  int64_t feed_forward = 0;
  int64_t resampler_layers = 0;
  std::vector<int64_t> numbers;  // of the layers
  std::vector<int64_t> widths;   // likewise
};

absl::StatusOr<IpAdapter::Sizes> IpAdapter::ReadSizes(const std::string& path) {
  auto tensors = OpenTensorFile(path);
  if (!tensors.ok()) return tensors.status();
  Sizes sizes;
  sizes.tensors = *std::move(tensors);
  const TensorSource& source = *sizes.tensors;
  sizes.numbers = LayerNumbers(source);
  const auto unknown = [&](const std::string& why) {
    return absl::UnimplementedError(absl::StrCat(
        path, ": is no image prompt adapter that is known: ", why));
  };
  if (sizes.numbers.empty() ||
      static_cast<int64_t>(sizes.numbers.size()) > kMostLayers) {
    return unknown("it has no layers ip_adapter.N.to_k_ip, or over 256");
  }
  for (const int64_t number : sizes.numbers) {
    const Shape shape =
        ShapeOf(source, absl::StrCat("ip_adapter.", number, ".to_k_ip.weight"));
    if (shape.size() != 2 || (sizes.width != 0 && shape[1] != sizes.width)) {
      return unknown("its layers differ in the width of a token");
    }
    sizes.widths.push_back(shape[0]);
    sizes.width = shape[1];
  }
  const Shape plain = ShapeOf(source, "image_proj.proj.weight");
  const Shape plus = ShapeOf(source, "image_proj.proj_in.weight");
  const Shape latents = ShapeOf(source, "image_proj.latents");
  if (plain.size() == 2 && plain[0] % sizes.width == 0) {
    sizes.embedding = plain[1];
    sizes.tokens = plain[0] / sizes.width;
  } else if (plus.size() == 2 && latents.size() == 3) {
    sizes.states = plus[1];
    sizes.tokens = latents[1];
    sizes.latent_width = latents[2];
    const Shape query = ShapeOf(source, "image_proj.layers.0.0.to_q.weight");
    const Shape forward = ShapeOf(source, "image_proj.layers.0.1.1.weight");
    if (query.size() != 2 || query[0] % kHeadWidth != 0 || query[0] == 0 ||
        forward.size() != 2) {
      return unknown("its resampler has no heads of 64");
    }
    sizes.inner = query[0];
    sizes.feed_forward = forward[0];
    sizes.resampler_layers =
        CountBlocks(source.entries(), "image_proj.layers.");
  } else {
    return unknown("it has neither image_proj.proj nor a resampler");
  }
  auto encoder = EncoderFolder(path, sizes.embedding, sizes.states);
  if (!encoder.ok()) return encoder.status();
  sizes.encoder = *std::move(encoder);
  return sizes;
}

absl::StatusOr<std::string> IpAdapter::FitAt(const std::string& path) {
  try {
    const auto sizes = ReadSizes(path);
    if (!sizes.ok()) return sizes.status();
    return PictureFit(sizes->width, sizes->widths);
  } catch (const std::exception&) {
    return StatusFromException(path);
  }
}

absl::StatusOr<int64_t> IpAdapter::BytesAt(const std::string& path,
                                           const Placement& placement) {
  try {
    const auto sizes = ReadSizes(path);
    if (!sizes.ok()) return sizes.status();
    const auto encoder = OpenTensors(sizes->encoder);
    if (!encoder.ok()) return encoder.status();
    return (*ElementsOf(*sizes->tensors) + *ElementsOf(**encoder)) *
           static_cast<int64_t>(c10::elementSize(placement.dtype));
  } catch (const std::exception&) {
    return StatusFromException(path);
  }
}

absl::StatusOr<std::shared_ptr<const IpAdapter>> IpAdapter::Load(
    const std::string& path, const Placement& placement) {
  c10::InferenceMode inference;
  try {
    const auto sizes = ReadSizes(path);
    if (!sizes.ok()) return sizes.status();
    const ComponentFiles files(sizes->encoder);
    const auto encoder = OpenComponent(files, ReadClipVisionConfig, placement);
    if (!encoder.ok()) return encoder.status();
    auto processor =
        ClipImageProcessor::Read(files, encoder->config.image_size);
    if (!processor.ok()) return processor.status();
    const Weights weights(sizes->tensors, placement.dtype, placement.device);
    std::shared_ptr<const IpAdapter> adapter(new IpAdapter(
        *sizes, weights, ClipVisionEncoder(encoder->config, encoder->weights),
        *std::move(processor)));
    absl::Status status =
        encoder->weights.Finish({ClipVisionEncoder::kPositionIds});
    if (status.ok()) status = weights.Finish();
    if (!status.ok()) return status;
    DeviceStream::WaitForThisThread(placement.device);
    return adapter;
  } catch (const std::exception&) {
    return StatusFromException(path);
  }
}

IpAdapter::Resampler::Block::Block(const Weights& weights, const Sizes& sizes)
    : norm1(weights["0"]["norm1"], sizes.latent_width, kNormEps),
      norm2(weights["0"]["norm2"], sizes.latent_width, kNormEps),
      to_q(weights["0"]["to_q"], sizes.latent_width, sizes.inner,
           /*has_bias=*/false),
      to_kv(weights["0"]["to_kv"], sizes.latent_width, 2 * sizes.inner,
            /*has_bias=*/false),
      to_out(weights["0"]["to_out"], sizes.inner, sizes.latent_width,
             /*has_bias=*/false),
      ff_norm(weights["1"]["0"], sizes.latent_width, kNormEps),
      ff_in(weights["1"]["1"], sizes.latent_width, sizes.feed_forward,
            /*has_bias=*/false),
      ff_out(weights["1"]["3"], sizes.feed_forward, sizes.latent_width,
             /*has_bias=*/false),
      heads(sizes.inner / kHeadWidth) {}

at::Tensor IpAdapter::Resampler::Block::forward(
    const at::Tensor& x, const at::Tensor& latents) const {
  const at::Tensor normed = norm2.forward(latents);
  const auto kv =
      to_kv.forward(at::cat({norm1.forward(x), normed}, 1)).chunk(2, -1);
  const at::Tensor attended =
      latents +
      to_out.forward(MultiHeadAttention(
          to_q.forward(normed), kv[0].contiguous(), kv[1].contiguous(), heads));
  return attended +
         ff_out.forward(at::gelu(ff_in.forward(ff_norm.forward(attended))));
}

IpAdapter::Resampler::Resampler(const Weights& weights, const Sizes& sizes)
    : latents_(weights.Get("latents", {1, sizes.tokens, sizes.latent_width})),
      proj_in_(weights["proj_in"], sizes.states, sizes.latent_width),
      proj_out_(weights["proj_out"], sizes.latent_width, sizes.width),
      norm_out_(weights["norm_out"], sizes.width, kNormEps) {
  for (int64_t i = 0; i < sizes.resampler_layers; ++i) {
    blocks_.emplace_back(weights.At("layers", i), sizes);
  }
}

at::Tensor IpAdapter::Resampler::forward(const at::Tensor& states) const {
  const at::Tensor x = proj_in_.forward(states);
  at::Tensor latents = latents_;
  for (const Block& block : blocks_) latents = block.forward(x, latents);
  return norm_out_.forward(proj_out_.forward(latents));
}

IpAdapter::IpAdapter(const Sizes& sizes, const Weights& weights,
                     ClipVisionEncoder encoder, ClipImageProcessor processor)
    : encoder_(std::move(encoder)),
      processor_(std::move(processor)),
      width_(sizes.width) {
  const Weights projection = weights["image_proj"];
  if (sizes.embedding > 0) {
    proj_.emplace(projection["proj"], sizes.embedding,
                  sizes.tokens * sizes.width);
    norm_.emplace(projection["norm"], sizes.width, kNormEps);
  } else {
    resampler_.emplace(projection, sizes);
  }
  for (size_t i = 0; i < sizes.numbers.size(); ++i) {
    const Weights layer = weights.At("ip_adapter", sizes.numbers[i]);
    layers_.push_back({Linear(layer["to_k_ip"], sizes.width, sizes.widths[i],
                              /*has_bias=*/false),
                       Linear(layer["to_v_ip"], sizes.width, sizes.widths[i],
                              /*has_bias=*/false)});
  }
}

at::Tensor IpAdapter::Tokens(const at::Tensor& picture) const {
  const int64_t side = encoder_.image_size();
  const at::Tensor pixels =
      picture.defined() ? picture : at::zeros({1, 3, side, side});
  const ClipVisionStates states = encoder_.forward(pixels);
  if (resampler_.has_value()) return resampler_->forward(states.penultimate);
  // No picture is none to the projection either.
  const at::Tensor embedding =
      picture.defined() ? states.embedding : states.embedding * 0;
  return norm_->forward(proj_->forward(embedding).view({1, -1, width_}));
}

std::vector<KeyValues> IpAdapter::Project(absl::Span<const at::Tensor> pictures,
                                          int64_t rows) const {
  c10::InferenceMode inference;
  std::vector<at::Tensor> seen;
  for (const at::Tensor& picture : pictures) seen.push_back(Tokens(picture));
  std::vector<at::Tensor> unseen;
  if (rows > 1) unseen.assign(pictures.size(), Tokens(at::Tensor()));
  std::vector<at::Tensor> all;
  for (int64_t row = 0; row + 1 < rows; ++row) {
    all.push_back(at::cat(unseen, 1));
  }
  all.push_back(at::cat(seen, 1));
  std::vector<KeyValues> layers;
  for (const Layer& layer : layers_) {
    std::vector<at::Tensor> keys, values;
    for (const at::Tensor& tokens : all) {  // each by itself, for its bits
      keys.push_back(layer.to_k.forward(tokens));
      values.push_back(layer.to_v.forward(tokens));
    }
    layers.push_back({at::cat(keys), at::cat(values)});
  }
  return layers;
}

void TakePictures(const PictureLayers& layers, PipelineTraits& traits) {
  if (layers.fit.empty()) return;
  traits.picture_fit = layers.fit;
  traits.request_fields.emplace_back("image_prompts");
}

PreparedRef WithPictures(PreparedRef prepared,
                         absl::Span<const PictureInput> inputs,
                         const std::vector<size_t>& order) {
  if (inputs.empty()) return prepared;
  std::vector<PicturePrompt> pictures;
  for (const PictureInput& input : inputs) {
    const std::vector<KeyValues> in_file =
        input.adapter->Project(input.pictures, prepared->rows);
    // Row by row, so that any of them can be left out.
    for (int64_t row = 0; row < prepared->rows; ++row) {
      auto layers = std::make_shared<std::vector<KeyValues>>();
      for (const size_t number : order) {
        layers->push_back({in_file[number].k.narrow(0, row, 1),
                           in_file[number].v.narrow(0, row, 1)});
      }
      pictures.push_back({.first_row = row,
                          .rows = 1,
                          .layers = std::move(layers),
                          .scale = input.weight});
    }
  }
  const auto seeing = [&](const Prepared& blind) {
    auto with = std::make_shared<Prepared>(blind);
    with->pictures = pictures;
    return with;
  };
  const auto with = seeing(*prepared);
  for (Prepared::Later& later : with->later) {
    later.prepared = seeing(*later.prepared);
  }
  return with;
}

}  // namespace genzo
