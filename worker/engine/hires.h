#ifndef GENZO_WORKER_ENGINE_HIRES_H_
#define GENZO_WORKER_ENGINE_HIRES_H_

#include <functional>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "worker/pipeline/pipeline.h"
#include "worker/text/text_cache.h"

// The second walk of a request with `hires`: of the same pipeline, planned as a
// start from a picture that is not there yet.

namespace genzo {

// Latents [1, C, h, w] of that height and width, as A1111 enlarges them
// (torch.nn.functional.interpolate, without antialiasing); what stands over the
// proportions is cut off first.
at::Tensor EnlargeLatent(const at::Tensor& latent,
                         v1::HiresPass::Upscale upscale, int64_t height,
                         int64_t width);

// Encodes what the second passes of `tasks` see, into `encoded`, whose places
// are theirs. Their texts are the first passes', which `texts` still has;
// `steer` adds what steers them at their own size.
using SteerPass = std::function<absl::Status(EncodeTask& task)>;
void EncodeSecondPasses(const Pipeline& model,
                        absl::Span<const EncodeTask> tasks, bool together,
                        TextCache& texts, const SteerPass& steer,
                        std::vector<absl::StatusOr<Encoded>>& encoded);

// Adds the stages of an image's second pass: `second` is of SecondPass(), its
// noise the seed's from its beginning. Errors as Pipeline::Plan().
absl::Status AddSecondPass(const Pipeline& model, const v1::HiresPass& hires,
                           const ImageRequest& second, const Encoded& encoded,
                           std::vector<Stage>& stages);

}  // namespace genzo

#endif  // GENZO_WORKER_ENGINE_HIRES_H_
