#include "worker/engine/evaluate.h"

#include <exception>

#include "ATen/TensorOperators.h"
#include "ATen/ops/cat.h"
#include "ATen/ops/std.h"
#include "worker/device/exception_status.h"
#include "worker/device/thread_count.h"

namespace genzo {
namespace {

at::Tensor Prediction(const at::Tensor& rows, const Guidance& guidance) {
  if (!guidance.active()) return rows;
  return ApplyGuidance(rows.narrow(0, 0, 1), rows.narrow(0, 1, 1), guidance);
}

// All else is computed on as many threads as always: of it nobody knows whether
// its bits depend on their number.
at::Tensor Denoise(const DiffusionModel& model, const at::Tensor& samples,
                   const std::vector<float>& timesteps,
                   const TextContext& context, int threads) {
  const ScopedThreads scope(threads);
  return model.Denoise(samples, timesteps, context);
}

std::vector<at::Tensor> EvaluateOrThrow(absl::Span<Run* const> runs,
                                        ContextGatherer& gatherer,
                                        int least_rows, int threads) {
  std::vector<at::Tensor> samples;
  ContextGatherer::Contexts contexts;
  std::vector<float> timesteps;
  for (const Run* run : runs) {
    const Evaluation evaluation = *run->sampler->Next();
    for (int row = 0; row < run->rows(); ++row) {
      samples.push_back(evaluation.sample);
      timesteps.push_back(static_cast<float>(evaluation.timestep));
    }
    contexts.push_back(run->context);
  }
  while (static_cast<int>(samples.size()) < least_rows) {
    samples.push_back(samples.back());
    timesteps.push_back(timesteps.back());
  }
  const at::Tensor rows =
      Denoise(*runs[0]->model, at::cat(samples), timesteps,
              *gatherer.Gather(contexts, least_rows), threads);
  std::vector<at::Tensor> predictions;
  int64_t begin = 0;
  for (const Run* run : runs) {
    predictions.push_back(
        Prediction(rows.narrow(0, begin, run->rows()), run->guidance));
    begin += run->rows();
  }
  return predictions;
}

}  // namespace

at::Tensor ApplyGuidance(const at::Tensor& unconditional,
                         const at::Tensor& conditional,
                         const Guidance& guidance) {
  at::Tensor guided =
      unconditional + guidance.scale * (conditional - unconditional);
  if (guidance.rescale == 0) return guided;
  const at::Tensor rescaled = guided * (at::std(conditional) / at::std(guided));
  return guidance.rescale * rescaled + (1 - guidance.rescale) * guided;
}

absl::StatusOr<std::vector<at::Tensor>> Evaluate(absl::Span<Run* const> runs,
                                                 ContextGatherer& gatherer,
                                                 int least_rows, int threads) {
  try {
    return EvaluateOrThrow(runs, gatherer, least_rows, threads);
  } catch (const std::exception&) {
    return StatusFromException("evaluation failed");
  }
}

absl::Status Advance(Run& run, const at::Tensor& prediction) {
  try {
    run.sampler->Advance(prediction);
    return absl::OkStatus();
  } catch (const std::exception&) {
    return StatusFromException("sampler step failed");
  }
}

}  // namespace genzo
