#include "base/guidance_rules.h"

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/shortest_digits.h"

namespace genzo {

StepShares SharesOf(const v1::GuidanceOptions& options) {
  StepShares shares;
  if (options.has_start()) shares.start = options.start();
  if (options.has_end()) shares.end = options.end();
  return shares;
}

bool IsBetween(int step, int steps, double start, double end) {
  return step >= static_cast<int>(start * steps) &&
         step < static_cast<int>(end * steps);
}

bool IsInBlock(absl::string_view layer, absl::string_view block) {
  return absl::StartsWith(layer, block) &&
         (layer.size() == block.size() || layer[block.size()] == '.');
}

bool IsPerturbed(absl::string_view layer) {
  return IsInBlock(layer, "mid_block") ||
         absl::StartsWith(layer, "transformer_blocks.1");
}

uint32_t MostRows(const v1::GenerateRequest& request, uint32_t rows) {
  const v1::GuidanceOptions& options = request.guidance();
  return rows + (options.perturbed_attention_scale() > 0 ? 1 : 0) +
         (options.skip_layer_scale() > 0 ? 1 : 0);
}

std::vector<std::string> ApproximationsOf(const v1::GenerateRequest& request) {
  const v1::GuidanceOptions& options = request.guidance();
  const StepShares shares = SharesOf(options);
  std::vector<std::string> told;
  if (shares.start > 0) {
    told.push_back(
        absl::StrCat("guidance_start ", ShortestDigits(shares.start)));
  }
  if (shares.end < 1) {
    told.push_back(absl::StrCat("guidance_end ", ShortestDigits(shares.end)));
  }
  const uint32_t gate = options.text_gate_step();
  if (gate > 0 && gate < request.steps()) {
    told.push_back(absl::StrCat("text_gate_step ", gate));
  }
  return told;
}

}  // namespace genzo
