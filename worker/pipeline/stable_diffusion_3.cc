#include "worker/pipeline/stable_diffusion_3.h"

#include <algorithm>

#include "ATen/ops/cat.h"
#include "ATen/ops/constant_pad_nd.h"
#include "ATen/ops/zeros.h"
#include "absl/strings/str_cat.h"
#include "base/errors.h"
#include "c10/core/InferenceMode.h"
#include "worker/pipeline/component_bytes.h"
#include "worker/pipeline/guidance_phases.h"
#include "worker/pipeline/masked_picture.h"
#include "worker/weights/single_file/original_names.h"

namespace genzo {
namespace {

constexpr char kFamily[] = "stable-diffusion-3";
constexpr int64_t kDefaultSequenceLength = 256;  // of T5
constexpr int kDefaultSteps = 28;
constexpr double kDefaultGuidanceScale = 7;
constexpr const char* kFields[] = {"prompt_2",
                                   "negative_prompt_2",
                                   "prompt_3",
                                   "negative_prompt_3",
                                   "max_sequence_length",
                                   "image_to_image.strength",
                                   "guidance.start",
                                   "guidance.end",
                                   "guidance.perturbed_attention_scale",
                                   "guidance.perturbed_layers",
                                   "guidance.skip_layer_scale",
                                   "guidance.skip_layers",
                                   "variation",
                                   "keep_latents",
                                   "start_latents",
                                   "loras"};

bool HasT5(const ModelIndex& index) { return index.Has("text_encoder_3"); }

int64_t SequenceLength(const v1::GenerateRequest& request) {
  return request.has_max_sequence_length() ? request.max_sequence_length()
                                           : kDefaultSequenceLength;
}

// The texts of a task's rows for one encoder, the negative first.
std::vector<EncoderText> RowTexts(int rows, const std::string& negative,
                                  const std::string& positive,
                                  int64_t clip_skip) {
  std::vector<EncoderText> texts;
  // As in the reference pipeline, clip_skip does not touch the negative prompt.
  if (rows == 2) texts.push_back({negative, /*clip_skip=*/0});
  texts.push_back({positive, clip_skip});
  return texts;
}

}  // namespace

absl::Status StableDiffusion3::LoadTransformer(const ModelIndex& index,
                                               Parts& parts) {
  const auto opened =
      OpenComponent(index, "transformer", "SD3Transformer2DModel",
                    ReadMmditConfig, parts.placement);
  if (!opened.ok()) return opened.status();
  parts.config = opened->config;
  parts.transformer =
      RecordOn(parts.placement,
               std::make_unique<Mmdit>(opened->config, opened->weights));
  parts.transformer_bytes = opened->weights.taken_bytes();
  parts.targets->Add("denoiser", opened->weights.source());
  parts.targets->AddNames("denoiser",
                          Sd3Names(opened->weights.source()->entries()));
  parts.targets->Add("text_encoder", parts.clip->tensors,
                     ClipTower::Unadapted());
  parts.targets->Add("text_encoder_2", parts.clip_2->tensors,
                     ClipTower::Unadapted());
  return opened->weights.Finish();
}

absl::Status StableDiffusion3::CheckFit(const std::string& folder,
                                        const Parts& parts) {
  const MmditConfig& network = parts.config;
  const auto differs = [&](const std::string& what, int64_t own,
                           const std::string& whose, int64_t other) {
    return absl::InvalidArgumentError(
        absl::StrCat(folder, ": transformer ", what, " ", own,
                     " does not fit the ", whose, " ", other));
  };
  const int64_t channels = parts.codec->latent_channels();
  if (network.in_channels != channels || network.out_channels != channels) {
    return differs("in_channels", network.in_channels,
                   "autoencoder's latent_channels", channels);
  }
  const int64_t pooled =
      parts.clip->config.projection_dim + parts.clip_2->config.projection_dim;
  if (network.pooled_projection_dim != pooled) {
    return differs("pooled_projection_dim", network.pooled_projection_dim,
                   "text encoders' projection_dim, together", pooled);
  }
  const int64_t clip_width =
      parts.clip->config.hidden_size + parts.clip_2->config.hidden_size;
  if (network.joint_attention_dim < clip_width) {
    return differs("joint_attention_dim", network.joint_attention_dim,
                   "CLIP encoders' hidden_size, together", clip_width);
  }
  if (parts.t5 != nullptr &&
      network.joint_attention_dim != parts.t5->config().d_model) {
    return differs("joint_attention_dim", network.joint_attention_dim,
                   "T5 encoder's d_model", parts.t5->config().d_model);
  }
  return absl::OkStatus();
}

absl::Status StableDiffusion3::SetTraits(const ModelIndex& index,
                                         Parts& parts) {
  PipelineTraits& traits = parts.traits;
  traits.family = kFamily;
  traits.tasks = {v1::TASK_TEXT_TO_IMAGE, v1::TASK_IMAGE_TO_IMAGE,
                  v1::TASK_INPAINTING};
  traits.max_clip_skip = std::min(parts.clip->config.num_hidden_layers,
                                  parts.clip_2->config.num_hidden_layers) -
                         1;
  traits.defaults.steps = kDefaultSteps;
  traits.defaults.guidance_scale = kDefaultGuidanceScale;
  traits.request_fields = {std::begin(kFields), std::end(kFields)};
  traits.transformer_layers = static_cast<int>(parts.config.num_layers);
  const absl::Status status =
      ReadTraits(index, parts.scheduler, *parts.codec,
                 Sides::Square(parts.config.sample_size), traits);
  traits.size_multiple =
      parts.codec->pixels_per_latent() * parts.config.patch_size;
  return status;
}

absl::StatusOr<std::unique_ptr<const Pipeline>> StableDiffusion3::Load(
    const ModelIndex& index, const Placement& placement) {
  Parts parts;
  parts.placement = placement;
  auto clip = ClipTower::Load(index, "tokenizer", "text_encoder", placement);
  if (!clip.ok()) return clip.status();
  parts.clip = *std::move(clip);
  auto clip_2 =
      ClipTower::Load(index, "tokenizer_2", "text_encoder_2", placement);
  if (!clip_2.ok()) return clip_2.status();
  parts.clip_2 = *std::move(clip_2);
  if (HasT5(index)) {
    auto t5 = T5Tower::Load(index, "tokenizer_3", "text_encoder_3", placement);
    if (!t5.ok()) return t5.status();
    parts.t5 = *std::move(t5);
  }
  auto codec = AutoencoderKLCodec::Load(index, placement);
  if (!codec.ok()) return codec.status();
  parts.codec = *std::move(codec);
  auto scheduler = ReadScheduler(index);
  if (!scheduler.ok()) return scheduler.status();
  parts.scheduler = *std::move(scheduler);
  absl::Status status = LoadTransformer(index, parts);
  if (status.ok()) status = CheckFit(index.folder, parts);
  if (status.ok()) status = SetTraits(index, parts);
  if (!status.ok()) return status;
  return std::unique_ptr<const Pipeline>(
      new StableDiffusion3(std::move(parts)));
}

absl::StatusOr<ModelBytes> StableDiffusion3::WeightBytes(
    const ModelIndex& index, const Placement& placement) {
  std::vector<const char*> components = {"text_encoder", "text_encoder_2",
                                         "transformer"};
  if (HasT5(index)) components.push_back("text_encoder_3");
  const auto bytes = ComponentBytes(index, components, placement);
  const auto codec = CodecBytes(index, placement);
  if (!bytes.ok() || !codec.ok()) return bytes.ok() ? codec : bytes;
  return *bytes + *codec;
}

int64_t StableDiffusion3::weight_bytes() const {
  return parts_.clip->weight_bytes + parts_.clip_2->weight_bytes +
         (parts_.t5 == nullptr ? 0 : parts_.t5->weight_bytes()) +
         parts_.transformer_bytes + parts_.codec->weight_bytes();
}

absl::StatusOr<PreparedRef> StableDiffusion3::Prepare(
    const Embeddings& rows, const AdapterUses& adapters, int steps) const {
  const int64_t width = parts_.config.joint_attention_dim;
  std::vector<at::Tensor> tokens, pooled;
  for (size_t i = 0; i < rows.clip.size(); ++i) {
    const at::Tensor clip = at::cat({rows.clip[i][0], rows.clip_2[i][0]}, 2);
    tokens.push_back(at::cat(
        {at::constant_pad_nd(clip, {0, width - clip.size(2)}), rows.t5[i][0]},
        1));
    pooled.push_back(at::cat({rows.clip[i][1], rows.clip_2[i][1]}, 1));
  }
  return PrepareAdapted(*parts_.transformer,
                        {.tokens = at::cat(tokens), .pooled = at::cat(pooled)},
                        adapters, steps);
}

std::vector<StableDiffusion3::Embeddings> StableDiffusion3::EncodeTexts(
    absl::Span<const EncodeTask> tasks, bool together, TextCache& texts) const {
  TextLists clip, clip_2, t5;
  for (const EncodeTask& task : tasks) {
    const v1::GenerateRequest& request = task.request;
    const int rows = RowsOfRequest(request);
    const auto texts_of = [&](const std::string& negative,
                              const std::string& positive) {
      return RowTexts(rows, TextOr(negative, request.negative_prompt()),
                      TextOr(positive, request.prompt()), request.clip_skip());
    };
    clip.push_back(texts_of("", ""));
    clip_2.push_back(texts_of(request.negative_prompt_2(), request.prompt_2()));
    t5.push_back(texts_of(request.negative_prompt_3(), request.prompt_3()));
    // T5 is not asked to skip layers but for a number of tokens.
    for (EncoderText& text : t5.back()) {
      text.clip_skip = SequenceLength(request);
    }
  }
  const auto encode_clip = [&](const ClipTower& tower,
                               const std::string& component,
                               const TextLists& lists) {
    return EncodeAdapted(
        lists, tasks, component, together, &tower, texts,
        [&](const std::vector<std::string>& strings, int64_t clip_skip,
            const EvalContext& adapters) {
          const ClipTextStates states = tower.encoder.EncodePooled(
              tower.IdsOf(strings, parts_.placement.device), clip_skip + 1,
              adapters);
          return std::vector<at::Tensor>{states.hidden, states.pooled};
        });
  };
  const auto of_clip = encode_clip(*parts_.clip, "text_encoder", clip);
  const auto of_clip_2 = encode_clip(*parts_.clip_2, "text_encoder_2", clip_2);
  std::vector<std::vector<TextEmbedding>> of_t5(tasks.size());
  if (parts_.t5 != nullptr) {
    of_t5 = EncodeLists(
        t5, together, parts_.t5.get(), texts,
        [&](const std::vector<std::string>& strings, int64_t length) {
          return std::vector<at::Tensor>{parts_.t5->Encode(strings, length)};
        });
  }
  std::vector<Embeddings> embeddings;
  for (size_t i = 0; i < tasks.size(); ++i) {
    // Where there is no T5, the reference puts zeros, as many as it would read.
    const at::Tensor& clip_tokens = of_clip[i][0][0];
    if (parts_.t5 == nullptr) {
      of_t5[i].assign(t5[i].size(),
                      {at::zeros({1, SequenceLength(tasks[i].request),
                                  parts_.config.joint_attention_dim},
                                 clip_tokens.options())});
    }
    embeddings.push_back({of_clip[i], of_clip_2[i], of_t5[i]});
  }
  return embeddings;
}

std::vector<absl::StatusOr<Encoded>> StableDiffusion3::Encode(
    absl::Span<const EncodeTask> tasks, bool together, TextCache& texts) const {
  c10::InferenceMode inference;
  const auto embeddings = EncodeTexts(tasks, together, texts);
  std::vector<absl::StatusOr<Encoded>> encoded;
  for (size_t i = 0; i < tasks.size(); ++i) {
    auto prepared = Prepare(embeddings[i], tasks[i].adapters,
                            static_cast<int>(tasks[i].request.steps()));
    if (!prepared.ok()) {
      encoded.emplace_back(prepared.status());
      continue;
    }
    Encoded one = {.prepared = {*std::move(prepared)}, .picture = {}};
    EncodePicture(tasks[i], *parts_.codec, MaskSight::kNothing, one);
    encoded.emplace_back(std::move(one));
  }
  return encoded;
}

PreparedRef StableDiffusion3::PrepareEmpty() const {
  c10::InferenceMode inference;
  v1::GenerateRequest request;
  request.set_guidance_scale(1);
  TextCache texts(/*max_bytes=*/0);
  return *Prepare(
      EncodeTexts({{.request = request}}, /*together=*/false, texts)[0],
      /*adapters=*/{}, /*steps=*/1);
}

absl::StatusOr<std::vector<Stage>> StableDiffusion3::Plan(
    const ImageRequest& image, const Encoded& encoded) const {
  c10::InferenceMode inference;
  const v1::GenerateRequest& request = image.request;
  const int64_t largest =
      parts_.config.max_size() * parts_.codec->pixels_per_latent();
  if (std::max<int64_t>(request.width(), request.height()) > largest) {
    return InvalidFieldsError(
        {{"width", absl::StrCat("width ", request.width(), " or height ",
                                request.height(), " is over ", largest,
                                ", the most that the model has places for")}});
  }
  const auto begun =
      PictureStartOf(image, encoded, *parts_.codec, MaskSight::kNothing);
  if (!begun.ok()) return begun.status();
  const SamplerStart& start = begun->start;
  const int64_t patches = parts_.config.patch_size * parts_.config.patch_size;
  SamplerOptions options = OptionsOf(request);
  options.image_tokens = start.noise[0][0].numel() / patches;
  auto walk = CreateFlowWalk(request.sampler(), parts_.scheduler, request,
                             options, start);
  if (!walk.ok()) return walk.status();
  std::vector<Stage> stages(1);
  stages[0] = {.denoiser = parts_.transformer.get(),
               .prepared = encoded.prepared[0],
               .guidance = {.rows = RowsOfRequest(request),
                            .scale = request.guidance_scale(),
                            .rescale = request.guidance_rescale()},
               .sampler = KeepKnown(*std::move(walk), begun->known),
               .begin = nullptr};
  PlanPhases(request, /*first_step=*/0, stages[0]);
  return stages;
}

}  // namespace genzo
