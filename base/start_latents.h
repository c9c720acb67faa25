#ifndef GENZO_BASE_START_LATENTS_H_
#define GENZO_BASE_START_LATENTS_H_

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"

namespace genzo {

// What is known of latents that a request left for later ones.
struct KeptLatentFacts {
  std::string model;
  int64_t width = 0;   // of their picture, in pixels
  int64_t height = 0;  // likewise
};

// The latents that requests may start from. Thread-safe.
class StartLatents {
 public:
  virtual ~StartLatents() = default;
  // NOT_FOUND/LATENTS_NOT_FOUND if the tenant has none of that name (any more).
  virtual absl::StatusOr<KeptLatentFacts> Look(
      const std::string& tenant, const std::string& name) const = 0;
};

// OK if a walk of `model` to that size can start from them; else
// INVALID_ARGUMENT that names start_latents. Pure.
absl::Status CheckStartLatents(const KeptLatentFacts& kept,
                               const std::string& model, int64_t width,
                               int64_t height);

}  // namespace genzo

#endif  // GENZO_BASE_START_LATENTS_H_
