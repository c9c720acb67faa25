#ifndef GENZO_WORKER_ENGINE_INVERSION_H_
#define GENZO_WORKER_ENGINE_INVERSION_H_

#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "worker/pipeline/pipeline.h"
#include "worker/text/text_cache.h"

// The way up of a request with image_to_image.inversion: a walk of the same
// pipeline before the others, of which the first begins where it ends.

namespace genzo {

// What the way up of `request`, with all its pictures, asks of the model.
v1::GenerateRequest InversionPass(const v1::GenerateRequest& request);

// Encodes what the ways up of `tasks` see, into `encoded`, whose places are
// theirs.
void EncodeInversions(const Pipeline& model, absl::Span<const EncodeTask> tasks,
                      bool together, TextCache& texts,
                      std::vector<absl::StatusOr<Encoded>>& encoded);

// Adds the way up of an image before its stages, of which there is one at
// least; `up` is of InversionPass(). It begins at the mean of what the encoder
// gives for the picture, and draws no noise. Where the two schedules differ,
// the latent that it ends at is taken to the level at which the next begins.
// Errors as Pipeline::Plan().
absl::Status AddInversion(const Pipeline& model, const ImageRequest& up,
                          const Encoded& encoded, std::vector<Stage>& stages);

}  // namespace genzo

#endif  // GENZO_WORKER_ENGINE_INVERSION_H_
