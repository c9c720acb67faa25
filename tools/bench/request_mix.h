#ifndef GENZO_TOOLS_BENCH_REQUEST_MIX_H_
#define GENZO_TOOLS_BENCH_REQUEST_MIX_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "genzo/v1/image_generation.pb.h"
#include "genzo/v1/model_registry.pb.h"

namespace genzo {

// What a mix consists of.
enum class MixProfile {
  kUniform,  // one kind
  kMixed,    // 12 kinds that differ in size, steps, guidance and sampler
};

struct MixOptions {
  MixProfile profile = MixProfile::kUniform;
  // Steps of the uniform kind and most steps of the mixed ones. Default: 25,
  // or 4 to 30.
  std::optional<uint32_t> steps = {};
  // Size of the uniform kind; mixed ones have it or half of it. Default: the
  // model's own.
  std::optional<uint32_t> width = {};
  std::optional<uint32_t> height = {};
  uint32_t preview_every = 0;  // 0: no previews
  uint64_t seed = 1;
};

// Requests that cost the same alone.
struct RequestKind {
  std::string name;             // "128x128, 25 steps, guidance 7.5, ddim"
  v1::GenerateRequest request;  // without prompt and seed
};

// One request of a mix.
struct MixedRequest {
  int kind = 0;  // index into kinds()
  v1::GenerateRequest request;
};

// An endless sequence of requests of a few kinds. Immutable; the same options
// give the same sequence, whatever server answers it.
class RequestMix {
 public:
  // INVALID_ARGUMENT names a size or step count that `model` cannot have.
  static absl::StatusOr<RequestMix> Create(const MixOptions& options,
                                           const v1::Model& model);

  const std::vector<RequestKind>& kinds() const { return kinds_; }

  // The `index`-th request, from 0. Each run of kinds().size() requests holds
  // every kind once, so that short loads offer what long ones do.
  MixedRequest Draw(int index) const;
  // A request of `kind`, an index into kinds(); `index` sets prompt and seed.
  MixedRequest OfKind(int kind, int index) const;

 private:
  RequestMix(std::vector<RequestKind> kinds, uint64_t seed)
      : kinds_(std::move(kinds)), seed_(seed) {}

  std::vector<RequestKind> kinds_;
  uint64_t seed_;
};

}  // namespace genzo

#endif  // GENZO_TOOLS_BENCH_REQUEST_MIX_H_
