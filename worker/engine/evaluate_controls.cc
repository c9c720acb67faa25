#include "worker/engine/evaluate_controls.h"

#include <map>

#include "ATen/ops/cat.h"

namespace genzo {
namespace {

// One control of one run.
struct Part {
  const Run* run;
  const StageControl* control;
  int64_t first_row;    // of the run, in the denoiser's evaluation
  int64_t row_in_call;  // its first in that of its network
};

// The parts that one network is called for.
using Call = std::vector<Part*>;

ControlResiduals Evaluate(const Call& call, PreparedJoiner& joiner,
                          int padded_rows) {
  std::vector<at::Tensor> samples;
  std::vector<float> times;
  PreparedJoiner::Parts prepared;
  for (const Part* part : call) {
    const Query query = *part->run->Next();
    for (int64_t row = 0; row < part->control->prepared->rows; ++row) {
      samples.push_back(query.sample);
      times.push_back(static_cast<float>(query.timestep));
    }
    prepared.push_back(
        PreparedAt(part->control->prepared,
                   part->run->stage().sampler->progress().steps_done));
  }
  while (static_cast<int>(samples.size()) < padded_rows) {
    samples.push_back(samples.back());
    times.push_back(times.back());
  }
  return Steer(*call[0]->control->network, at::cat(samples), times,
               *joiner.Join(prepared, padded_rows));
}

}  // namespace

std::vector<ControlSegment> EvaluateControls(absl::Span<Run* const> runs,
                                             PreparedJoiner& joiner,
                                             int padded_rows) {
  std::vector<Part> parts;
  int64_t first_row = 0;
  for (const Run* run : runs) {
    const WalkProgress progress = run->stage().sampler->progress();
    for (const StageControl& control : run->stage().controls) {
      if (!control.ActiveAt(progress)) continue;
      parts.push_back({.run = run,
                       .control = &control,
                       .first_row = first_row,
                       .row_in_call = 0});
    }
    first_row += run->rows();
  }
  std::map<const ControlNetwork*, Call> calls;
  std::map<const ControlNetwork*, int64_t> rows;
  for (Part& part : parts) {
    const ControlNetwork* network = part.control->network.get();
    part.row_in_call = rows[network];
    rows[network] += part.control->prepared->rows;
    calls[network].push_back(&part);
  }
  std::map<const ControlNetwork*, ControlResiduals> residuals;
  for (const auto& [network, call] : calls) {
    residuals[network] = Evaluate(call, joiner, padded_rows);
  }
  std::vector<ControlSegment> segments;
  for (const Part& part : parts) {
    const StageControl& control = *part.control;
    segments.push_back(
        {.first_row = part.first_row + control.first_row,
         .rows = control.rows,
         .residuals = Weighted(RowsOf(residuals.at(control.network.get()),
                                      part.row_in_call, control.prepared->rows),
                               control.weight, control.fading)});
  }
  return segments;
}

}  // namespace genzo
