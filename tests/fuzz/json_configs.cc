// Any bytes as the configuration of each component.

#include <cstdint>
#include <string>

#include "worker/codec/autoencoder_kl.h"
#include "worker/codec/autoencoder_tiny.h"
#include "worker/codec/linear_preview.h"
#include "worker/codec/vq_codec.h"
#include "worker/denoiser/dit.h"
#include "worker/denoiser/flux_transformer.h"
#include "worker/denoiser/k_unet.h"
#include "worker/denoiser/mmdit.h"
#include "worker/denoiser/unet_2d_condition.h"
#include "worker/text/clip_text_encoder.h"
#include "worker/text/t5_encoder.h"

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
  static_cast<void>(genzo::LinearPreview::ReadFile(file, 4));
  return 0;
}
