#ifndef GENZO_WORKER_ADAPTERS_LORA_NAMES_H_
#define GENZO_WORKER_ADAPTERS_LORA_NAMES_H_

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "worker/weights/tensor_source.h"

namespace genzo {

// How the files that circulate name what they adapt: kohya's
// ("lora_unet_mid_block_attentions_0_proj_in.lora_down.weight"), diffusers' and
// PEFT's ("unet.mid_block.attentions.0.proj_in.lora_A.weight"), those of the
// original code ("diffusion_model.double_blocks.0.img_attn.qkv.lora_up.weight")
// and XLabs'. All functions are pure: whether the names fit a model is for
// AdapterTargets to say.

// The tensors of one adapted module by what they are: "down", "up", "mid",
// "alpha", "bias", "magnitude" (DoRA), "diff", "hada_w1_a" and so on (LoHa),
// "lokr_w1" and so on (LoKr), "oft" (OFT, which is not read).
using LoraParts = std::map<std::string, std::string>;

struct LoraNames {
  // By the module's name, with "_" for ".".
  std::map<std::string, LoraParts> modules;
  // Tensors that are no part of an adapter.
  std::vector<std::string> strangers;
};

LoraNames ReadLoraNames(const std::map<std::string, TensorEntry>& entries);

// UNIMPLEMENTED names a tensor of a kind of adapter that is not read: without
// it the file would paint something else.
absl::Status CheckKinds(const LoraNames& names);

// Where a module may be: its component ("denoiser", "text_encoder",
// "text_encoder_2", "text_encoder_3") and its name there, the likeliest first.
std::vector<std::pair<std::string, std::string>> LoraPlaces(
    const std::string& module);

// The largest rank of a file's modules; 0 if none has one.
int64_t RankOf(const TensorSource& file, const LoraNames& names);

// Which models a file is for, as far as its names, sizes and metadata tell:
// "sd1", "sd2", "sdxl", "sd3", "flux"; else "unknown".
std::string LoraFamily(const TensorSource& file, const LoraNames& names);

}  // namespace genzo

#endif  // GENZO_WORKER_ADAPTERS_LORA_NAMES_H_
