#ifndef GENZO_BASE_GUIDANCE_RULES_H_
#define GENZO_BASE_GUIDANCE_RULES_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "genzo/v1/image_generation.pb.h"

// What front end and worker both know of GenerateRequest.guidance.

namespace genzo {

// The reference pipelines' own: which layers are skipped where a request does
// not say, and between which shares of the steps.
inline constexpr uint32_t kDefaultSkipLayers[] = {7, 8, 9};
inline constexpr double kSkipLayerStart = 0.01;
inline constexpr double kSkipLayerEnd = 0.2;

// Shares of the steps between which guidance is at work.
struct StepShares {
  double start = 0;
  double end = 1;
};
// With defaults filled in.
StepShares SharesOf(const v1::GuidanceOptions& options);

// Whether a scale asks for a row that is not guided beside the one that is; at
// 1 the two cancel out. Reference: do_classifier_free_guidance.
inline bool IsGuided(double guidance_scale) { return guidance_scale > 1; }

// Whether step `step` of `steps`, from 0, is between two shares: between 0.2
// and 0.8 of 10 are 2 to 7. Reference: diffusers' ClassifierFreeGuidance.
bool IsBetween(int step, int steps, double start, double end);

// Whether `layer` is `block` or stands in it: "mid_block.attentions.0" does in
// "mid_block", "down_blocks.10" does not in "down_blocks.1".
bool IsInBlock(absl::string_view layer, absl::string_view block);

// Whether the self-attention `layer` is perturbed where a request does not say:
// as the reference's expressions "mid" and, for SD3, "blocks.1" match names,
// the latter those of blocks 10 to 19, too.
bool IsPerturbed(absl::string_view layer);

// Rows of an image in its largest evaluation, of those that it has without
// `guidance`.
uint32_t MostRows(const v1::GenerateRequest& request, uint32_t rows);

// What a request has the server leave out, as Image.approximations tells it:
// "text_gate_step 10", "guidance_end 0.8".
std::vector<std::string> ApproximationsOf(const v1::GenerateRequest& request);

}  // namespace genzo

#endif  // GENZO_BASE_GUIDANCE_RULES_H_
