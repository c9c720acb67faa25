#include "worker/vision/clip_scorer.h"

#include <cmath>
#include <utility>

#include "ATen/ops/tensor.h"
#include "absl/strings/str_cat.h"
#include "worker/weights/json_config.h"

namespace genzo {
namespace {

// What a text tower of its own would have as config.json.
absl::StatusOr<ClipTextConfig> ReadTextConfig(const TextFile& file) {
  auto json = JsonConfig::ReadFile(file);
  if (!json.ok()) return json.status();
  const auto part = json->object().find("text_config");
  if (part == json->object().end() || !part->is_object()) {
    return absl::InvalidArgumentError(
        absl::StrCat(file.path(), ": text_config is missing: not a CLIPModel"));
  }
  auto config =
      ReadClipTextConfig(TextFile(file.path() + ": text_config", part->dump()));
  if (!config.ok()) return config.status();
  config->projection_dim = json->Int("projection_dim", 512, /*min=*/1);
  if (!json->status().ok()) return json->status();
  return config;
}

}  // namespace

struct ClipScorer::Parts {
  ClipTokenizer tokenizer;
  ClipTextEncoder text;
  ClipImageProcessor processor;
  ClipVisionEncoder vision;
  double logit_scale;
  int64_t weight_bytes;
  at::Device device;
};

ClipScorer::ClipScorer(Parts parts)
    : tokenizer_(std::move(parts.tokenizer)),
      text_(std::move(parts.text)),
      processor_(std::move(parts.processor)),
      vision_(std::move(parts.vision)),
      logit_scale_(parts.logit_scale),
      weight_bytes_(parts.weight_bytes),
      device_(parts.device) {}

absl::StatusOr<std::unique_ptr<const ClipScorer>> ClipScorer::Open(
    const ComponentFiles& files, const Placement& placement) {
  const TextFile config = files.At("config.json");
  const auto text = ReadTextConfig(config);
  if (!text.ok()) return text.status();
  const auto vision = ReadClipVisionConfig(config);
  if (!vision.ok()) return vision.status();
  auto processor = ClipImageProcessor::Read(files, vision->image_size);
  if (!processor.ok()) return processor.status();
  auto tokenizer = ClipTokenizer::Read(files);
  if (!tokenizer.ok()) return tokenizer.status();
  if (tokenizer->id_end() > text->vocab_size ||
      tokenizer->model_max_length() > text->max_position_embeddings) {
    return absl::InvalidArgumentError(
        absl::StrCat(files.path(), ": the tokenizer's ", tokenizer->id_end(),
                     " ids or ", tokenizer->model_max_length(),
                     " positions do not fit the text encoder"));
  }
  auto tensors = files.OpenTensors();
  if (!tensors.ok()) return tensors.status();
  const Weights weights(*std::move(tensors), placement.dtype, placement.device);
  const at::Tensor logit_scale = weights.GetFloat("logit_scale", {});
  ClipTextEncoder text_tower(*text, weights);
  ClipVisionEncoder vision_tower(*vision, weights);
  const absl::Status finished = weights.Finish(
      {ClipVisionEncoder::kPositionIds, "text_model.embeddings.position_ids"});
  if (!finished.ok()) return finished;
  return std::unique_ptr<const ClipScorer>(
      new ClipScorer({.tokenizer = *std::move(tokenizer),
                      .text = std::move(text_tower),
                      .processor = *processor,
                      .vision = std::move(vision_tower),
                      .logit_scale = std::exp(logit_scale.item<double>()),
                      .weight_bytes = weights.taken_bytes(),
                      .device = placement.device}));
}

at::Tensor ClipScorer::EmbedText(std::string_view text) const {
  const at::Tensor ids =
      at::tensor(tokenizer_.EncodePadded(text), at::kLong).view({1, -1});
  return text_.EncodePooled(ids.to(device_), /*skipped=*/0)
      .pooled.to(at::kCPU, at::kFloat);
}

at::Tensor ClipScorer::EmbedPicture(const Pixels& pixels) const {
  return vision_.forward(processor_.Process(pixels))
      .embedding.to(at::kCPU, at::kFloat);
}

}  // namespace genzo
