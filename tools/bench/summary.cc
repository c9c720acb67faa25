#include "tools/bench/summary.h"

#include <cmath>
#include <utility>
#include <vector>

namespace genzo {
namespace {

// The samples that spreads are made of.
struct Samples {
  std::vector<double> total;
  std::vector<double> first_step;
  std::vector<double> first_preview;
  std::vector<double> slowdown;
  std::vector<double> queued_prediction_error;
  std::vector<double> step_prediction_error;
};

void Add(const std::optional<absl::Duration>& time,
         std::vector<double>& samples) {
  if (time.has_value()) samples.push_back(absl::ToDoubleSeconds(*time));
}

void AddError(const std::optional<Prediction>& prediction, absl::Duration total,
              std::vector<double>& samples) {
  if (!prediction.has_value() || prediction->at >= total) return;
  const double actual = absl::ToDoubleSeconds(total - prediction->at);
  samples.push_back(
      std::abs(absl::ToDoubleSeconds(prediction->left) / actual - 1));
}

void AddSucceeded(const Measurement& call, const SoloTimes& solo,
                  Samples& samples) {
  Add(call.total, samples.total);
  Add(call.first_step, samples.first_step);
  Add(call.first_preview, samples.first_preview);
  samples.slowdown.push_back(
      absl::FDivDuration(call.total, solo.by_kind[call.kind]));
  AddError(call.queued_prediction, call.total, samples.queued_prediction_error);
  AddError(call.step_prediction, call.total, samples.step_prediction_error);
}

std::optional<double> JainOf(const std::map<std::string, int>& pictures) {
  if (pictures.size() < 2) return std::nullopt;
  std::vector<double> shares;
  shares.reserve(pictures.size());
  for (const auto& [_, count] : pictures) shares.push_back(count);
  return JainIndex(shares);
}

}  // namespace

absl::Duration SoloTimes::Mean() const {
  absl::Duration sum;
  for (absl::Duration time : by_kind) sum += time;
  return sum / static_cast<int64_t>(by_kind.size());
}

Summary Summarize(const LoadResult& result, const SoloTimes& solo) {
  Summary summary;
  Samples samples;
  int in_time = 0;
  for (const Measurement& call : result.measurements) {
    ++summary.calls;
    ++summary.outcomes[call.outcome()];
    summary.tenant_pictures[call.tenant] += call.succeeded() ? 1 : 0;
    for (const auto& [rows, steps] : call.batch_rows) {
      summary.batch_rows[rows] += steps;
    }
    summary.lost += call.lost() ? 1 : 0;
    summary.hung += call.hung ? 1 : 0;
    if (!call.succeeded()) continue;
    ++summary.succeeded;
    in_time += call.total <= solo.Limit(call.kind) ? 1 : 0;
    AddSucceeded(call, solo, samples);
  }
  summary.unsent = result.unsent;
  summary.window_seconds = absl::ToDoubleSeconds(result.window);
  if (summary.window_seconds > 0) {
    summary.pictures_per_second = summary.succeeded / summary.window_seconds;
    summary.goodput_per_second = in_time / summary.window_seconds;
  }
  summary.total = SpreadOf(std::move(samples.total));
  summary.first_step = SpreadOf(std::move(samples.first_step));
  summary.first_preview = SpreadOf(std::move(samples.first_preview));
  summary.slowdown = SpreadOf(std::move(samples.slowdown));
  summary.queued_prediction_error =
      SpreadOf(std::move(samples.queued_prediction_error));
  summary.step_prediction_error =
      SpreadOf(std::move(samples.step_prediction_error));
  summary.jain = JainOf(summary.tenant_pictures);
  return summary;
}

}  // namespace genzo
