#include "base/lora_blocks.h"

#include <algorithm>
#include <optional>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/guidance_rules.h"

namespace genzo {
namespace {

// Blocks that a message lists.
constexpr size_t kMostListed = 20;

// The weight of the longest block that the layer is in; nothing for none.
std::optional<double> OwnWeight(const v1::LoraUse& lora,
                                const std::string& layer) {
  std::optional<double> own;
  size_t longest = 0;
  for (const v1::LoraBlockWeight& block : lora.block_weights()) {
    if (block.block().size() < longest || !IsInBlock(layer, block.block())) {
      continue;
    }
    longest = block.block().size();
    own = block.weight();
  }
  return own;
}

// "down_blocks.1.attentions.0.proj_in" -> "down_blocks.1", "conv_in".
std::string BlockOf(const std::string& layer) {
  size_t end = layer.find('.');
  if (end + 1 < layer.size() && absl::ascii_isdigit(layer[end + 1])) {
    end = layer.find('.', end + 1);
  }
  return layer.substr(0, end);
}

std::string Listed(const std::vector<std::string>& layers) {
  std::vector<std::string> blocks;
  for (const std::string& layer : layers) {
    std::string block = BlockOf(layer);
    if (std::count(blocks.begin(), blocks.end(), block) > 0) continue;
    if (blocks.size() == kMostListed) {
      blocks.emplace_back("...");
      break;
    }
    blocks.push_back(std::move(block));
  }
  return absl::StrJoin(blocks, ", ");
}

}  // namespace

absl::Status CheckBlockWeights(const v1::LoraUse& lora,
                               const LoraLayers& layers) {
  if (lora.block_weights().empty()) return absl::OkStatus();
  bool any_named = false;
  bool any_left = layers.text_encoders && lora.text_encoder_weight() != 0;
  for (const std::string& layer : layers.denoiser) {
    const std::optional<double> own = OwnWeight(lora, layer);
    any_named = any_named || own.has_value();
    any_left = any_left || own.value_or(lora.weight()) != 0;
  }
  if (!any_named) {
    return absl::InvalidArgumentError(
        absl::StrCat("name no layer that it changes; those are in ",
                     layers.denoiser.empty() ? "the text encoders alone"
                                             : Listed(layers.denoiser)));
  }
  if (any_left) return absl::OkStatus();
  return absl::InvalidArgumentError(
      "leave nothing of it: each layer that it changes has weight 0");
}

}  // namespace genzo
