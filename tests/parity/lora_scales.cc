#include "tests/parity/lora_scales.h"

#include <algorithm>
#include <map>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"

namespace genzo::parity {
namespace {

using nlohmann::json;

constexpr const char* kDenoisers[] = {"unet", "transformer"};
constexpr const char* kTextEncoders[] = {"text_encoder", "text_encoder_2",
                                         "text_encoder_3"};

// Blocks with attention on one of the ways, "down" or "up": how many places of
// it each has.
std::map<int, int> BlocksWithAttention(const std::vector<std::string>& layers,
                                       const std::string& way) {
  std::map<int, int> blocks;
  for (const std::string& layer : layers) {
    const std::vector<std::string> parts = absl::StrSplit(layer, '.');
    int block = 0, place = 0;
    if (parts.size() < 4 || parts[0] != way + "_blocks" ||
        parts[2] != "attentions" || !absl::SimpleAtoi(parts[1], &block) ||
        !absl::SimpleAtoi(parts[3], &place)) {
      continue;
    }
    blocks[block] = std::max(blocks[block], place + 1);
  }
  return blocks;
}

// What a block's entry says of one of its places.
double AtPlace(const json& scale, int place) {
  if (!scale.is_array()) return scale;
  return scale[scale.size() == 1 ? 0 : place];
}

void SetWay(const json& scale, const std::string& way,
            const std::vector<std::string>& layers, AdapterUse& use) {
  for (const auto& [block, places] : BlocksWithAttention(layers, way)) {
    const json own = scale.is_object()
                         ? scale.value(absl::StrCat("block_", block), json(1.0))
                         : scale;
    const std::string name = absl::StrCat(way, "_blocks.", block, ".");
    for (int place = 0; place < places; ++place) {
      const double weight = AtPlace(own, place);
      use.blocks[absl::StrCat(name, "attentions.", place)] = weight;
      // Layers of other kinds have that of the attention of their number: so
      // reads get_module_weight().
      use.blocks[absl::StrCat(name, "resnets.", place)] = weight;
      use.blocks[absl::StrCat(name, way, "samplers.", place)] = weight;
    }
  }
}

absl::Status SetByBlock(const json& scale,
                        const std::vector<std::string>& layers,
                        AdapterUse& use) {
  for (const auto& item : scale.items()) {
    const std::string& key = item.key();
    if (key != "down" && key != "mid" && key != "up") {
      return absl::UnimplementedError(absl::StrCat("LoRA scale of ", key));
    }
  }
  use.weight = 1;
  SetWay(scale.value("down", json(1.0)), "down", layers, use);
  SetWay(scale.value("up", json(1.0)), "up", layers, use);
  use.blocks["mid_block.attentions.0"] =
      AtPlace(scale.value("mid", json(1.0)), /*place=*/0);
  return absl::OkStatus();
}

// One weight for all encoders that the adapter changes.
absl::Status SetTexts(const json& scale, AdapterUse& use) {
  std::vector<double> weights;
  for (const char* encoder : kTextEncoders) {
    if (!use.adapter->Adapts(encoder)) continue;
    weights.push_back(scale.value(encoder, 1.0));
  }
  use.text_encoder_weight = weights.empty() ? 1 : weights[0];
  const bool differ = std::any_of(
      weights.begin(), weights.end(),
      [&](double weight) { return weight != use.text_encoder_weight; });
  return differ ? absl::UnimplementedError("a LoRA scale by text encoder")
                : absl::OkStatus();
}

absl::Status SetUnscaled(const json& scale,
                         const std::vector<std::string>& layers,
                         AdapterUse& use) {
  if (scale.is_number()) {
    use.weight = use.text_encoder_weight = scale;
    return absl::OkStatus();
  }
  if (!scale.is_object()) return absl::UnimplementedError("a LoRA scale");
  if (scale.contains("down") || scale.contains("mid") || scale.contains("up")) {
    return SetByBlock(scale, layers, use);
  }
  for (const char* denoiser : kDenoisers) {
    if (!scale.contains(denoiser)) continue;
    const json& own = scale[denoiser];
    if (own.is_number()) {
      use.weight = own;
      continue;
    }
    const absl::Status status = SetByBlock(own, layers, use);
    if (!status.ok()) return status;
  }
  return SetTexts(scale, use);
}

}  // namespace

absl::Status SetLoraScales(const json& scale, double factor,
                           const std::vector<std::string>& attention_layers,
                           AdapterUse& use) {
  const absl::Status status = SetUnscaled(scale, attention_layers, use);
  if (!status.ok()) return status;
  use.weight *= factor;
  use.text_encoder_weight *= factor;
  for (auto& [block, weight] : use.blocks) weight *= factor;
  return absl::OkStatus();
}

}  // namespace genzo::parity
