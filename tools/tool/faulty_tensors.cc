#include "tools/tool/faulty_tensors.h"

#include <exception>

#include "c10/core/InferenceMode.h"
#include "worker/codec/autoencoder_kl.h"
#include "worker/codec/autoencoder_tiny.h"
#include "worker/denoiser/dit.h"
#include "worker/denoiser/flux_transformer.h"
#include "worker/denoiser/k_unet.h"
#include "worker/denoiser/mmdit.h"
#include "worker/denoiser/unet_2d_condition.h"
#include "worker/depth/dpt.h"
#include "worker/device/exception_status.h"
#include "worker/text/clip_text_encoder.h"
#include "worker/text/t5_encoder.h"
#include "worker/vision/clip_vision_encoder.h"
#include "worker/weights/weights.h"

namespace genzo {
namespace {

template <typename Network, typename Config,
          absl::StatusOr<Config> (*read)(const TextFile&)>
TensorFaults Look(const ComponentFiles& files) {
  const auto config = read(files.At("config.json"));
  auto tensors = files.OpenTensors();
  if (!config.ok() || !tensors.ok()) return {};
  const Weights weights = Weights::OfEntries(*std::move(tensors));
  const Network network(*config, weights);
  return {weights.faults(), weights.Surplus()};
}

// What a scheduler says of noise levels is of no account here.
class AnyKUNet : public KUNet {
 public:
  AnyKUNet(const KUNetConfig& config, const Weights& weights)
      : KUNet(config, /*alphas_cumprod=*/{0.5F}, weights) {}
};

struct Row {
  const char* class_name;
  TensorFaults (*look)(const ComponentFiles& files);
};

constexpr Row kRows[] = {
    {"UNet2DConditionModel", Look<UNet2DConditionModel, UNet2DConditionConfig,
                                  ReadUNet2DConditionConfig>},
    {"SD3Transformer2DModel", Look<Mmdit, MmditConfig, ReadMmditConfig>},
    {"FluxTransformer2DModel",
     Look<FluxTransformer, FluxConfig, ReadFluxConfig>},
    {"DiTTransformer2DModel", Look<Dit, DitConfig, ReadDitConfig>},
    {"Transformer2DModel", Look<Dit, DitConfig, ReadDitConfig>},
    {"CLIPTextModel",
     Look<ClipTextEncoder, ClipTextConfig, ReadClipTextConfig>},
    {"CLIPTextModelWithProjection",
     Look<ClipTextEncoder, ClipTextConfig, ReadClipTextProjectionConfig>},
    {"CLIPVisionModelWithProjection",
     Look<ClipVisionEncoder, ClipVisionConfig, ReadClipVisionConfig>},
    {"T5EncoderModel", Look<T5Encoder, T5Config, ReadT5Config>},
    {"DPTForDepthEstimation", Look<Dpt, DptConfig, ReadDptConfig>},
    {"AutoencoderKL",
     Look<AutoencoderKL, AutoencoderKLConfig, ReadAutoencoderKLConfig>},
    {"AutoencoderTiny",
     Look<AutoencoderTiny, AutoencoderTinyConfig, ReadAutoencoderTinyConfig>},
};

constexpr char kUpscaler[] = "StableDiffusionLatentUpscalePipeline";
constexpr Row kOfUpscaler = {"UNet2DConditionModel",
                             Look<AnyKUNet, KUNetConfig, ReadKUNetConfig>};

}  // namespace

TensorFaults FaultyTensors(const std::string& pipeline_class,
                           const std::string& class_name,
                           const ComponentFiles& files) {
  c10::InferenceMode inference;
  try {
    if (pipeline_class == kUpscaler && class_name == kOfUpscaler.class_name) {
      return kOfUpscaler.look(files);
    }
    for (const Row& row : kRows) {
      if (class_name == row.class_name) return row.look(files);
    }
  } catch (const std::exception&) {
    // Of a configuration that makes no network.
    return {{std::string(StatusFromException(files.path()).message())}, {}};
  }
  return {};
}

}  // namespace genzo
