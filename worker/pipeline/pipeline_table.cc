#include "worker/pipeline/pipeline_table.h"

#include <exception>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "c10/core/InferenceMode.h"
#include "nlohmann/json.hpp"
#include "worker/codec/autoencoder_kl_codec.h"
#include "worker/device/device_stream.h"
#include "worker/device/exception_status.h"
#include "worker/device/loading_memory.h"
#include "worker/pipeline/dit_pipeline.h"
#include "worker/pipeline/flux.h"
#include "worker/pipeline/stable_diffusion.h"
#include "worker/pipeline/stable_diffusion_3.h"
#include "worker/pipeline/stable_diffusion_latent_upscale.h"
#include "worker/pipeline/stable_diffusion_parts.h"
#include "worker/pipeline/stable_diffusion_unclip.h"
#include "worker/pipeline/stable_diffusion_upscale.h"
#include "worker/pipeline/stable_diffusion_xl.h"

namespace genzo {
namespace {

constexpr PipelineSpec kPipelines[] = {
    {"StableDiffusionPipeline", StableDiffusion::Load,
     StableDiffusion::WeightBytes},
    // The same parts; which way a request goes is the request's to say.
    {"StableDiffusionImg2ImgPipeline", StableDiffusion::Load,
     StableDiffusion::WeightBytes},
    {"LatentConsistencyModelPipeline", StableDiffusion::Load,
     StableDiffusion::WeightBytes},
    {"LatentConsistencyModelImg2ImgPipeline", StableDiffusion::Load,
     StableDiffusion::WeightBytes},
    {"StableDiffusionInstructPix2PixPipeline", StableDiffusion::Load,
     StableDiffusion::WeightBytes},
    {"StableDiffusionInpaintPipeline", StableDiffusion::Load,
     StableDiffusion::WeightBytes},
    {"StableDiffusionDepth2ImgPipeline", StableDiffusion::Load,
     StableDiffusion::WeightBytes},
    {"StableDiffusionUpscalePipeline", StableDiffusionUpscale::Load,
     StableDiffusionUpscale::WeightBytes},
    {"StableDiffusionLatentUpscalePipeline", StableDiffusionLatentUpscale::Load,
     StableDiffusionLatentUpscale::WeightBytes},
    {"StableUnCLIPImg2ImgPipeline", StableDiffusionUnclip::Load,
     StableDiffusionUnclip::WeightBytes},
    {"StableDiffusionXLPipeline", StableDiffusionXL::Load,
     StableDiffusionXL::WeightBytes},
    {"StableDiffusionXLImg2ImgPipeline", StableDiffusionXL::Load,
     StableDiffusionXL::WeightBytes},
    {"StableDiffusionXLInpaintPipeline", StableDiffusionXL::Load,
     StableDiffusionXL::WeightBytes},
    {"StableDiffusion3Pipeline", StableDiffusion3::Load,
     StableDiffusion3::WeightBytes},
    {"StableDiffusion3Img2ImgPipeline", StableDiffusion3::Load,
     StableDiffusion3::WeightBytes},
    {"StableDiffusion3InpaintPipeline", StableDiffusion3::Load,
     StableDiffusion3::WeightBytes},
    {"FluxPipeline", Flux::Load, Flux::WeightBytes},
    {"FluxImg2ImgPipeline", Flux::Load, Flux::WeightBytes},
    {"FluxInpaintPipeline", Flux::Load, Flux::WeightBytes},
    {"FluxFillPipeline", Flux::Load, Flux::WeightBytes},
    {"DiTPipeline", DitPipeline::Load, DitPipeline::WeightBytes},
};

absl::StatusOr<const PipelineSpec*> Find(const ModelIndex& index) {
  std::vector<std::string> known;
  for (const PipelineSpec& spec : kPipelines) {
    if (index.pipeline_class == spec.class_name) return &spec;
    known.push_back(spec.class_name);
  }
  return absl::UnimplementedError(
      absl::StrCat(index.folder, ": pipeline class ", index.pipeline_class,
                   " is not one of ", absl::StrJoin(known, ", ")));
}

// A model without factors of the linear preview has them fitted to what its
// autoencoder paints, which takes values: here are some.
void KeepFromFitting(ModelIndex& index) {
  constexpr const char* kFile = AutoencoderKLCodec::kLinearFile;
  ComponentFiles vae = index.FilesOf("vae");
  const auto config = ReadAutoencoderKLConfig(vae.At("config.json"));
  constexpr int64_t kMostChannels = 1024;  // more than anybody has trained
  if (!config.ok() || config->latent_channels > kMostChannels ||
      vae.At(kFile).Exists()) {
    return;
  }
  const std::vector<std::vector<int>> factors(config->latent_channels,
                                              {0, 0, 0});
  vae.AddText(kFile, nlohmann::json{{"latent_rgb_factors", factors}}.dump());
  index.elsewhere.insert_or_assign("vae", std::move(vae));
}

}  // namespace

absl::Span<const PipelineSpec> Pipelines() { return kPipelines; }

absl::StatusOr<std::unique_ptr<const Pipeline>> LoadPipeline(
    const ModelFiles& model, const Placement& placement,
    std::shared_ptr<TensorPool> pool) {
  c10::InferenceMode inference;
  const LoadingMemory memory;
  try {
    auto index = OpenModelIndex(model);
    if (!index.ok()) return index.status();
    index->pool = std::move(pool);
    const auto spec = Find(*index);
    if (!spec.ok()) return spec.status();
    auto pipeline = (*spec)->load(*index, placement);
    // Others use it on streams of their own.
    DeviceStream::WaitForThisThread(placement.device);
    return pipeline;
  } catch (const std::exception&) {
    return StatusFromException(model.path);
  }
}

absl::StatusOr<std::unique_ptr<const Pipeline>> DescribePipeline(
    const ModelFiles& model, const Placement& placement) {
  c10::InferenceMode inference;
  try {
    auto index = OpenModelIndex(model);
    if (!index.ok()) return index.status();
    index->heads_only = true;
    const auto spec = Find(*index);
    if (!spec.ok()) return spec.status();
    KeepFromFitting(*index);
    Placement nowhere = placement;
    nowhere.device = at::kCPU;
    return (*spec)->load(*index, nowhere);
  } catch (const std::exception&) {
    return StatusFromException(model.path);
  }
}

absl::StatusOr<ModelBytes> PipelineWeightBytes(const ModelFiles& model,
                                               const Placement& placement) {
  try {
    const auto index = OpenModelIndex(model);
    if (!index.ok()) return index.status();
    const auto spec = Find(*index);
    if (!spec.ok()) return spec.status();
    const auto bytes = (*spec)->weight_bytes(*index, placement);
    if (!bytes.ok()) return bytes.status();
    const auto scheduler = ReadScheduler(*index);
    if (!scheduler.ok()) return scheduler.status();
    return *bytes;
  } catch (const std::exception&) {
    return StatusFromException(model.path);
  }
}

}  // namespace genzo
