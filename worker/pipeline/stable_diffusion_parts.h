#ifndef GENZO_WORKER_PIPELINE_STABLE_DIFFUSION_PARTS_H_
#define GENZO_WORKER_PIPELINE_STABLE_DIFFUSION_PARTS_H_

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "nlohmann/json.hpp"
#include "worker/adapters/adapter_targets.h"
#include "worker/codec/latent_codec.h"
#include "worker/denoiser/unet_2d_condition.h"
#include "worker/pipeline/pipeline.h"
#include "worker/text/clip_text_encoder.h"
#include "worker/text/clip_tokenizer.h"
#include "worker/weights/component.h"

// What the pipelines of U-Nets over latents are made of.

namespace genzo {

// A tokenizer and the CLIP text encoder that reads its ids.
struct ClipTower {
  // Opens the components of these names. Errors name file and key or tensor,
  // also where the two do not fit each other.
  static absl::StatusOr<std::shared_ptr<const ClipTower>> Load(
      const ModelIndex& index, const std::string& tokenizer,
      const std::string& text_encoder, const Placement& placement);

  // Ids of `texts`, padded, [texts, L] int64 on `device`.
  at::Tensor IdsOf(const std::vector<std::string>& texts,
                   const at::Device& device) const;

  // The words of `library`, which may be null, as this encoder reads them:
  // number `encoder` of a model whose encoders have `widths`, by default the
  // only one.
  LearnedWords WordsOf(const EmbeddingLibrary* library,
                       std::vector<int64_t> widths = {},
                       size_t encoder = 0) const;
  // What begins the names of layers that no adapter changes: tables.
  static std::vector<std::string> Unadapted();

  const ClipTokenizer tokenizer;
  const ClipTextConfig config;
  const ClipTextEncoder encoder;
  const int64_t weight_bytes;
  const std::shared_ptr<const TensorSource> tensors;
};

// The scheduler_config.json of the component, with `_class_name` filled in from
// the index where it lacks one. Errors name the file and what its own sampler
// cannot read.
absl::StatusOr<nlohmann::json> ReadScheduler(
    const ModelIndex& index, const std::string& component = "scheduler");

// alphas_cumprod of a scheduler that does nothing but noise what the model is
// told, over `max_level` of them. Errors name its file and key.
absl::StatusOr<std::vector<float>> ReadNoising(const ModelIndex& index,
                                               const std::string& component,
                                               size_t max_level);

// The level of them that `request` asks for, or `otherwise`.
// INVALID_ARGUMENT/INVALID_FIELD where there is none of that number.
absl::StatusOr<int> NoisingOf(const v1::GenerateRequest& request, int otherwise,
                              int max_level);

// Evaluations are replayed where launching them takes longer than running
// them, if the placement wants it; else `unet` itself.
std::unique_ptr<const Denoiser> RecordOn(const Placement& placement,
                                         std::unique_ptr<const Denoiser> unet);

// Adds the U-Net that was made of `weights` to what adapters may change.
void AddUNetTargets(const Weights& weights, AdapterTargets& targets);

// A size and a schedule that a request may leave out are the model's own.
absl::Status ReadTraits(const ModelIndex& index,
                        const nlohmann::json& scheduler,
                        const LatentCodec& codec, const Sides& sample_size,
                        PipelineTraits& traits);

// What one encoder makes of the texts of several tasks, `texts` and results a
// list a task: `together` as Pipeline::Encode() has it, `owner` tells encoders
// apart.
using TextLists = std::vector<std::vector<EncoderText>>;
std::vector<std::vector<TextEmbedding>> EncodeLists(
    const TextLists& texts, bool together, const void* owner, TextCache& cache,
    const TextCache::Encode& encode);

// Where an image's walk begins. Draws the picture's noise, if there is one, and
// then the walk's, as the reference does; a walk up draws none.
SamplerStart StartOf(const ImageRequest& image, const Encoded& encoded,
                     const LatentCodec& codec);

// Lets requests walk a picture up to noise, where DDIM's way up reads the file:
// it has not all spacings that the way down has.
void TakeInversion(const nlohmann::json& scheduler, PipelineTraits& traits);

// The walk that the request asks for. INVALID_ARGUMENT/INVALID_FIELD for steps
// that the schedule does not have.
absl::StatusOr<std::unique_ptr<SamplerRun>> CreateWalk(
    SamplerId sampler, const nlohmann::json& scheduler,
    const v1::GenerateRequest& request, const SamplerOptions& options,
    const SamplerStart& start);

}  // namespace genzo

#endif  // GENZO_WORKER_PIPELINE_STABLE_DIFFUSION_PARTS_H_
