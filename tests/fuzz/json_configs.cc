// Any bytes as each of the small files of a model: what its components are,
// their configurations, how it walks, its defaults.

#include <cstdint>
#include <string>

#include "worker/codec/autoencoder_kl.h"
#include "worker/codec/autoencoder_tiny.h"
#include "worker/codec/linear_preview.h"
#include "worker/codec/vq_codec.h"
#include "worker/denoiser/control_net.h"
#include "worker/denoiser/dit.h"
#include "worker/denoiser/flux_control_net.h"
#include "worker/denoiser/flux_transformer.h"
#include "worker/denoiser/k_unet.h"
#include "worker/denoiser/mmdit.h"
#include "worker/denoiser/t2i_adapter.h"
#include "worker/denoiser/unet_2d_condition.h"
#include "worker/depth/dpt.h"
#include "worker/pipeline/pipeline_traits.h"
#include "worker/sampler/sampler_table.h"
#include "worker/text/clip_text_encoder.h"
#include "worker/text/t5_encoder.h"
#include "worker/vision/clip_vision_encoder.h"
#include "worker/weights/json_config.h"
#include "worker/weights/model_index.h"

namespace genzo {
namespace {

// By the classes of all samplers, and as far as a walk is planned; that of a
// file of very many timesteps takes long and finds nothing.
void ReadScheduler(const TextFile& file) {
  constexpr int kMostTimesteps = 2000;
  auto json = JsonConfig::ReadFile(file);
  if (!json.ok()) return;
  for (const SamplerSpec& spec : Samplers()) {
    const auto config =
        ParseSchedulerConfig(json->object(), spec.scheduler_class);
    if (config.ok() && config->num_train_timesteps > kMostTimesteps) return;
  }
  PipelineTraits traits;
  nlohmann::json changed = json->object();
  static_cast<void>(ReadSchedule(changed, traits));
  // The same bytes as a genzo.json.
  static_cast<void>(ChangeSchedule(file, changed));
  static_cast<void>(ReadSchedule(changed, traits));
  static_cast<void>(ReadDefaults(file, traits));
}

}  // namespace
}  // namespace genzo

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const genzo::TextFile file(
      "config.json", std::string(reinterpret_cast<const char*>(data), size));
  static_cast<void>(genzo::ReadAutoencoderKLConfig(file));
  static_cast<void>(genzo::ReadAutoencoderTinyConfig(file));
  static_cast<void>(genzo::ReadVqModelConfig(file));
  static_cast<void>(genzo::ReadClipTextConfig(file));
  static_cast<void>(genzo::ReadT5Config(file));
  static_cast<void>(genzo::ReadDitConfig(file));
  static_cast<void>(genzo::ReadMmditConfig(file));
  static_cast<void>(genzo::ReadFluxConfig(file));
  static_cast<void>(genzo::ReadKUNetConfig(file));
  static_cast<void>(genzo::ReadUNet2DConditionConfig(file));
  static_cast<void>(genzo::ReadControlNetConfig(file));
  static_cast<void>(genzo::ReadFluxControlNetConfig(file));
  static_cast<void>(genzo::ReadT2IAdapterConfig(file));
  static_cast<void>(genzo::ReadDptConfig(file));
  static_cast<void>(genzo::ReadClipVisionConfig(file));
  static_cast<void>(genzo::LinearPreview::ReadFile(file, 4));
  static_cast<void>(genzo::ParseModelIndex(file));
  genzo::ReadScheduler(file);
  return 0;
}
