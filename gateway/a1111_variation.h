#ifndef GENZO_GATEWAY_A1111_VARIATION_H_
#define GENZO_GATEWAY_A1111_VARIATION_H_

#include "gateway/json_body.h"
#include "genzo/v1/image_generation.pb.h"
#include "genzo/v1/model_registry.pb.h"
#include "nlohmann/json.hpp"

namespace genzo {

// Reads subseed, subseed_strength and seed_resize_from_w and _h of a body;
// sizes of 0 or less are none, others are cut to places of latents, as A1111
// does.
void ReadVariation(FieldReader& reader, v1::GenerateRequest& request);

// The other seed of image `index`, as A1111 tells it.
uint64_t SubseedOf(const v1::GenerateRequest& resolved, uint64_t seed,
                   uint32_t index);

// A1111's account of textual inversions: those that `model` reads, which may be
// null.
nlohmann::json EmbeddingsOf(const v1::Model* model);

}  // namespace genzo

#endif  // GENZO_GATEWAY_A1111_VARIATION_H_
