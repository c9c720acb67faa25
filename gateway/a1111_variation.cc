#include "gateway/a1111_variation.h"

#include <algorithm>
#include <cstdint>

namespace genzo {

using nlohmann::json;

namespace {

constexpr int64_t kPlace = 8;  // pixels of a latent's place
constexpr int64_t kMaxSide = 1 << 20;

}  // namespace

void ReadVariation(FieldReader& reader, v1::GenerateRequest& request) {
  const double strength =
      std::max(reader.Number("subseed_strength", -1, 1).value_or(0), 0.0);
  const auto subseed = reader.Seed("subseed");
  const auto side = [&](const char* field) {
    const auto pixels = reader.Whole(field, -kMaxSide, kMaxSide).value_or(0);
    return pixels > 0 ? static_cast<uint32_t>(pixels / kPlace * kPlace) : 0;
  };
  const uint32_t width = side("seed_resize_from_w");
  const uint32_t height = side("seed_resize_from_h");
  const bool resizes = width > 0 && height > 0;
  if (strength == 0 && !resizes) return;
  v1::Variation& variation = *request.mutable_variation();
  variation.set_strength(strength);
  if (subseed.has_value()) variation.set_seed(*subseed);
  if (!resizes) return;
  variation.set_resize_from_width(width);
  variation.set_resize_from_height(height);
}

uint64_t SubseedOf(const v1::GenerateRequest& resolved, uint64_t seed,
                   uint32_t index) {
  const v1::Variation& variation = resolved.variation();
  return variation.strength() > 0 ? variation.seed() + index : seed;
}

json EmbeddingsOf(const v1::Model* model) {
  json loaded = json::object();
  if (model != nullptr) {
    for (const v1::Embedding& embedding : model->embeddings()) {
      loaded[embedding.name()] = {{"step", nullptr},
                                  {"sd_checkpoint", nullptr},
                                  {"sd_checkpoint_name", nullptr},
                                  {"shape", embedding.width()},
                                  {"vectors", embedding.vectors()}};
    }
  }
  return {{"loaded", loaded}, {"skipped", json::object()}};
}

}  // namespace genzo
