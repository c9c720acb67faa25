#ifndef GENZO_TESTS_PARITY_LORA_SCALES_H_
#define GENZO_TESTS_PARITY_LORA_SCALES_H_

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "nlohmann/json.hpp"
#include "worker/pipeline/adapter_uses.h"

namespace genzo::parity {

// Fills in the weights of `use` as diffusers' set_adapters() reads `scale`: a
// number for everything, or {"unet": W, "text_encoder": 0.5}, where W may be by
// block, {"down": 2, "mid": 3, "up": {"block_0": 4, "block_1": [5, 6, 7]}}.
// What is not named has 1. All of it is multiplied by `factor`.
//
// `attention_layers` are the U-Net's, "down_blocks.1.attentions.0.[...]": only
// blocks with some have scales. UNIMPLEMENTED names what no request can say.
absl::Status SetLoraScales(const nlohmann::json& scale, double factor,
                           const std::vector<std::string>& attention_layers,
                           AdapterUse& use);

}  // namespace genzo::parity

#endif  // GENZO_TESTS_PARITY_LORA_SCALES_H_
