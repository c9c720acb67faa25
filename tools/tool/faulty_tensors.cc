#include "tools/tool/faulty_tensors.h"

#include <exception>

#include "c10/core/InferenceMode.h"
#include "worker/codec/autoencoder_kl.h"
#include "worker/denoiser/dit.h"
#include "worker/denoiser/flux_transformer.h"
#include "worker/denoiser/mmdit.h"
#include "worker/denoiser/unet_2d_condition.h"
#include "worker/device/exception_status.h"
#include "worker/text/clip_text_encoder.h"
#include "worker/text/t5_encoder.h"
#include "worker/weights/weights.h"

namespace genzo {
namespace {

using Faults = std::vector<std::string>;

template <typename Network, typename Config,
          absl::StatusOr<Config> (*read)(const TextFile&)>
Faults Look(const ComponentFiles& files) {
  const auto config = read(files.At("config.json"));
  auto tensors = files.OpenTensors();
  if (!config.ok() || !tensors.ok()) return {};
  const Weights weights = Weights::OfEntries(*std::move(tensors));
  const Network network(*config, weights);
  return weights.faults();
}

struct Row {
  const char* class_name;
  Faults (*look)(const ComponentFiles& files);
};

constexpr Row kRows[] = {
    {"UNet2DConditionModel", Look<UNet2DConditionModel, UNet2DConditionConfig,
                                  ReadUNet2DConditionConfig>},
    {"SD3Transformer2DModel", Look<Mmdit, MmditConfig, ReadMmditConfig>},
    {"FluxTransformer2DModel",
     Look<FluxTransformer, FluxConfig, ReadFluxConfig>},
    {"DiTTransformer2DModel", Look<Dit, DitConfig, ReadDitConfig>},
    {"CLIPTextModel",
     Look<ClipTextEncoder, ClipTextConfig, ReadClipTextConfig>},
    {"CLIPTextModelWithProjection",
     Look<ClipTextEncoder, ClipTextConfig, ReadClipTextProjectionConfig>},
    {"T5EncoderModel", Look<T5Encoder, T5Config, ReadT5Config>},
    {"AutoencoderKL",
     Look<AutoencoderKL, AutoencoderKLConfig, ReadAutoencoderKLConfig>},
};

}  // namespace

std::vector<std::string> FaultyTensors(const std::string& class_name,
                                       const ComponentFiles& files) {
  c10::InferenceMode inference;
  try {
    for (const Row& row : kRows) {
      if (class_name == row.class_name) return row.look(files);
    }
  } catch (const std::exception&) {
    // Of a configuration that makes no network.
    return {std::string(StatusFromException(files.path()).message())};
  }
  return {};
}

}  // namespace genzo
