#include "worker/engine/evaluate.h"

#include <exception>

#include "ATen/ops/cat.h"
#include "worker/device/exception_status.h"
#include "worker/engine/evaluate_controls.h"

namespace genzo {
namespace {

std::vector<at::Tensor> EvaluateOrThrow(absl::Span<Run* const> runs,
                                        PreparedJoiner& joiner,
                                        int padded_rows) {
  std::vector<at::Tensor> samples;
  std::vector<float> times;
  PreparedJoiner::Parts prepared;
  for (const Run* run : runs) {
    const Query query = *run->Next();
    for (int row = 0; row < run->rows(); ++row) {
      samples.push_back(query.sample);
      times.push_back(static_cast<float>(query.timestep));
    }
    prepared.push_back(PreparedAt(run->stage().prepared,
                                  run->stage().sampler->progress().steps_done));
  }
  while (static_cast<int>(samples.size()) < padded_rows) {
    samples.push_back(samples.back());
    times.push_back(times.back());
  }
  PreparedRef joined = joiner.Join(prepared, padded_rows);
  std::vector<ControlSegment> controls =
      EvaluateControls(runs, joiner, padded_rows);
  if (!controls.empty()) {
    auto steered = std::make_shared<Prepared>(*joined);
    steered->controls = std::move(controls);
    joined = std::move(steered);
  }
  const at::Tensor rows =
      Predict(*runs[0]->stage().denoiser, at::cat(samples), times, *joined);
  std::vector<at::Tensor> predictions;
  int64_t begin = 0;
  for (const Run* run : runs) {
    predictions.push_back(ApplyGuidance(rows.narrow(0, begin, run->rows()),
                                        run->stage().guidance));
    begin += run->rows();
  }
  return predictions;
}

}  // namespace

absl::StatusOr<std::vector<at::Tensor>> Evaluate(absl::Span<Run* const> runs,
                                                 PreparedJoiner& joiner,
                                                 int padded_rows) {
  try {
    return EvaluateOrThrow(runs, joiner, padded_rows);
  } catch (const std::exception&) {
    return StatusFromException("evaluation failed");
  }
}

}  // namespace genzo
