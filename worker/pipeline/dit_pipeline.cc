#include "worker/pipeline/dit_pipeline.h"

#include "ATen/ops/tensor.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "base/errors.h"
#include "c10/core/InferenceMode.h"
#include "worker/pipeline/component_bytes.h"
#include "worker/weights/json_config.h"

namespace genzo {
namespace {

constexpr char kFamily[] = "dit";
constexpr const char* kFields[] = {"class_label"};

// id2label of the index: {"207": "golden retriever, retriever"}.
absl::StatusOr<std::map<std::string, int64_t>> ReadLabels(
    const ModelIndex& index, int64_t classes) {
  const TextFile file = index.files.At("model_index.json");
  const auto json = JsonConfig::ReadFile(file);
  if (!json.ok()) return json.status();
  std::map<std::string, int64_t> labels;
  const auto found = json->object().find("id2label");
  if (found == json->object().end() || !found->is_object()) return labels;
  for (const auto& [id, names] : found->items()) {
    int64_t label = 0;
    if (!absl::SimpleAtoi(id, &label) || label < 0 || label >= classes ||
        !names.is_string()) {
      return absl::InvalidArgumentError(
          absl::StrCat(file.path(),
                       ": id2label has an entry that is not a "
                       "class below ",
                       classes, " and its names"));
    }
    const std::string text = names;
    for (absl::string_view name : absl::StrSplit(text, ',')) {
      labels.emplace(absl::StripAsciiWhitespace(name), label);
    }
  }
  return labels;
}

}  // namespace

absl::Status DitPipeline::LoadTransformer(const ModelIndex& index,
                                          Parts& parts) {
  // Published folders name the class that was split into several since.
  const bool is_older = index.ClassOf("transformer") == "Transformer2DModel";
  const auto opened =
      OpenComponent(index, "transformer",
                    is_older ? "Transformer2DModel" : "DiTTransformer2DModel",
                    ReadDitConfig, parts.placement);
  if (!opened.ok()) return opened.status();
  parts.config = opened->config;
  parts.transformer = RecordOn(
      parts.placement, std::make_unique<Dit>(opened->config, opened->weights));
  parts.transformer_bytes = opened->weights.taken_bytes();
  const absl::Status finished = opened->weights.Finish();
  const int64_t channels = parts.codec->latent_channels();
  if (!finished.ok() || parts.config.in_channels == channels) return finished;
  return absl::InvalidArgumentError(absl::StrCat(
      index.folder, ": transformer in_channels ", parts.config.in_channels,
      " are not the autoencoder's latent_channels ", channels));
}

absl::Status DitPipeline::SetTraits(const ModelIndex& index, Parts& parts) {
  PipelineTraits& traits = parts.traits;
  traits.family = kFamily;
  traits.tasks = {v1::TASK_TEXT_TO_IMAGE};
  traits.defaults.steps = 50;
  traits.defaults.guidance_scale = 4;
  traits.request_fields = {std::begin(kFields), std::end(kFields)};
  const absl::Status status =
      ReadTraits(index, parts.scheduler, *parts.codec,
                 Sides::Square(parts.config.sample_size), traits);
  traits.size_multiple =
      parts.codec->pixels_per_latent() * parts.config.patch_size;
  return status;
}

absl::StatusOr<std::unique_ptr<const Pipeline>> DitPipeline::Load(
    const ModelIndex& index, const Placement& placement) {
  Parts parts;
  parts.placement = placement;
  auto codec = AutoencoderKLCodec::Load(index, placement);
  if (!codec.ok()) return codec.status();
  parts.codec = *std::move(codec);
  auto scheduler = ReadScheduler(index);
  if (!scheduler.ok()) return scheduler.status();
  parts.scheduler = *std::move(scheduler);
  absl::Status status = LoadTransformer(index, parts);
  if (status.ok()) status = SetTraits(index, parts);
  if (!status.ok()) return status;
  auto labels = ReadLabels(index, parts.config.classes);
  if (!labels.ok()) return labels.status();
  parts.labels = *std::move(labels);
  return std::unique_ptr<const Pipeline>(new DitPipeline(std::move(parts)));
}

absl::StatusOr<ModelBytes> DitPipeline::WeightBytes(
    const ModelIndex& index, const Placement& placement) {
  const auto bytes = ComponentBytes(index, {"transformer"}, placement);
  const auto codec = CodecBytes(index, placement);
  if (!bytes.ok() || !codec.ok()) return bytes.ok() ? codec : bytes;
  return *bytes + *codec;
}

absl::StatusOr<int64_t> DitPipeline::ClassOf(
    const v1::GenerateRequest& request) const {
  const int64_t classes = parts_.config.classes;
  if (request.has_class_label()) {
    if (request.class_label() < classes) return request.class_label();
    return InvalidFieldsError(
        {{"class_label", absl::StrCat("class_label ", request.class_label(),
                                      " is not below ", classes)}});
  }
  if (request.prompt().empty()) return classes;
  const auto found = parts_.labels.find(
      std::string(absl::StripAsciiWhitespace(request.prompt())));
  if (found != parts_.labels.end()) return found->second;
  return InvalidFieldsError(
      {{"prompt",
        "prompt is not the name of one of the model's classes; "
        "class_label chooses one by its number"}});
}

absl::StatusOr<PreparedRef> DitPipeline::Prepare(
    const std::vector<double>& classes) const {
  return parts_.transformer->Prepare(
      {.numbers = at::tensor(classes, at::kFloat)
                      .unsqueeze(1)
                      .to(parts_.placement.device)});
}

absl::StatusOr<Encoded> DitPipeline::EncodeOne(
    const v1::GenerateRequest& request) const {
  const auto label = ClassOf(request);
  if (!label.ok()) return label.status();
  std::vector<double> classes = {static_cast<double>(*label)};
  if (RowsOf(parts_.traits, request.guidance_scale()) == 2) {
    classes.insert(classes.begin(), static_cast<double>(parts_.config.classes));
  }
  auto prepared = Prepare(classes);
  if (!prepared.ok()) return prepared.status();
  return Encoded{.prepared = {*std::move(prepared)}, .picture = {}};
}

std::vector<absl::StatusOr<Encoded>> DitPipeline::Encode(
    absl::Span<const EncodeTask> tasks, bool /*together*/,
    TextCache& /*texts*/) const {
  c10::InferenceMode inference;
  std::vector<absl::StatusOr<Encoded>> encoded;
  for (const EncodeTask& task : tasks) {
    encoded.push_back(EncodeOne(task.request));
  }
  return encoded;
}

PreparedRef DitPipeline::PrepareEmpty() const {
  c10::InferenceMode inference;
  return *Prepare({static_cast<double>(parts_.config.classes)});
}

absl::StatusOr<std::vector<Stage>> DitPipeline::Plan(
    const ImageRequest& image, const Encoded& encoded) const {
  c10::InferenceMode inference;
  const v1::GenerateRequest& request = image.request;
  auto walk =
      CreateWalk(request.sampler(), parts_.scheduler, request,
                 OptionsOf(request), StartOf(image, encoded, *parts_.codec));
  if (!walk.ok()) return walk.status();
  std::vector<Stage> stages(1);
  stages[0] = {
      .denoiser = parts_.transformer.get(),
      .prepared = encoded.prepared[0],
      .guidance = {.rows = RowsOf(parts_.traits, request.guidance_scale()),
                   .scale = request.guidance_scale(),
                   .rescale = request.guidance_rescale()},
      .sampler = *std::move(walk),
      .begin = nullptr};
  return stages;
}

}  // namespace genzo
