#ifndef GENZO_WORKER_ADAPTERS_PEFT_SCALES_H_
#define GENZO_WORKER_ADAPTERS_PEFT_SCALES_H_

#include <map>
#include <string>

#include "nlohmann/json.hpp"

namespace genzo {

// How strong the adapters of a file are that has no alphas among its tensors:
// diffusers writes PEFT's LoraConfig into the header ("lora_adapter_metadata"),
// for each part of a model (reference: diffusers' save_lora_weights and
// _create_lora_config). A value.
class PeftScales {
 public:
  // Of a file's metadata; what is no such account counts as none.
  explicit PeftScales(const std::map<std::string, std::string>& metadata);

  // What up * down is multiplied with: alpha / rank, or alpha / sqrt(rank)
  // where the account says rsLoRA; 1 without one. `component` is "denoiser",
  // "text_encoder" and so on, `module` its layer with "_" for ".".
  double Of(const std::string& component, const std::string& module,
            int64_t rank) const;

 private:
  const nlohmann::json* Find(const std::string& component,
                             const char* key) const;

  nlohmann::json account_;  // "unet.lora_alpha" -> 16; an object
};

}  // namespace genzo

#endif  // GENZO_WORKER_ADAPTERS_PEFT_SCALES_H_
