#ifndef GENZO_GATEWAY_A1111_ANSWERS_H_
#define GENZO_GATEWAY_A1111_ANSWERS_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "gateway/a1111_seats.h"
#include "gateway/painting.h"
#include "genzo/v1/lora_registry.pb.h"
#include "genzo/v1/model_registry.pb.h"
#include "nlohmann/json.hpp"

// What A1111's clients are told, in its own shapes. All functions are pure.

namespace genzo {

// The account of how pictures were made, `info` of an answer. `comments` are
// what its reader is told besides.
nlohmann::json A1111Info(const Painting& painting, uint32_t batch_size,
                         std::vector<std::string> comments);

// What the texts in a picture's file say, those of how it was made also value
// by value (ReadInfotext()). INVALID_ARGUMENT/INVALID_FIELD for what is no PNG,
// JPEG or WebP.
absl::StatusOr<nlohmann::json> A1111PngInfo(absl::string_view file);

// Answers of GET sd-models, samplers, schedulers (`model` may be null), loras,
// and progress of the caller's latest job.
nlohmann::json A1111Models(const v1::ListModelsResponse& list);
nlohmann::json A1111Samplers(const v1::Model* model);
nlohmann::json A1111Schedulers(const v1::Model* model);
nlohmann::json A1111Loras(const v1::LoraRegistryListResponse& list);
nlohmann::json A1111Progress(const std::optional<SeatedJob>& job);

}  // namespace genzo

#endif  // GENZO_GATEWAY_A1111_ANSWERS_H_
