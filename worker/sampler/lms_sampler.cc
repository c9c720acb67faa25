#include "worker/sampler/lms_sampler.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "worker/sampler/prediction.h"
#include "worker/sampler/sigmas.h"

namespace genzo {
namespace {

constexpr int kMaxOrder = 4;

}  // namespace

LmsSampler::LmsSampler(const SchedulerConfig& config,
                       const SamplerOptions& options, const SamplerStart& start)
    : LmsSampler(config, start, Plan(config, options.steps, start.first_step),
                 Plan(config, options.steps, /*first_step=*/0).levels) {}

LmsSampler::LmsSampler(const SchedulerConfig& config, const SamplerStart& start,
                       const WalkPlan& plan, std::vector<NoiseLevel> whole_walk)
    : PlannedSampler(plan, start, InitialSigma(config, plan.levels[0].sigma)),
      config_(config),
      whole_walk_(std::move(whole_walk)) {}

at::Tensor LmsSampler::ScaledSample() const {
  return ScaledForNetwork(config_, latent_, level());
}

int LmsSampler::HistoryLength(int evaluations) const {
  return std::min(evaluations, kMaxOrder);
}

// Integral of Lagrange's polynomial over the step. It is of degree three at
// most, for which Gauss' rule of two points is exact.
double LmsSampler::Weight(int order, int back) const {
  const int now = plan_.steps_done[done_];
  const auto sigma = [&](int i) { return whole_walk_[i].sigma; };
  const auto polynomial = [&](double tau) {
    double product = 1;
    for (int k = 0; k < order; ++k) {
      if (k == back) continue;
      product *= (tau - sigma(now - k)) / (sigma(now - back) - sigma(now - k));
    }
    return product;
  };
  const double middle = (sigma(now) + sigma(now + 1)) / 2;
  const double half = (sigma(now + 1) - sigma(now)) / 2;
  const double offset = half / std::sqrt(3.0);
  return half * (polynomial(middle - offset) + polynomial(middle + offset));
}

at::Tensor LmsSampler::Step(const at::Tensor& prediction) {
  denoised_ = CleanEstimate(config_, prediction, latent_, level());
  if (history_.size() == kMaxOrder) history_.pop_front();
  history_.push_back((latent_ - denoised_) / level().sigma);
  const int known = static_cast<int>(history_.size());
  // A walk that begins behind its first step has slopes for less than this. The
  // reference leaves out those that it lacks, but weighs the others as if they
  // were there.
  const int order = std::min(plan_.steps_done[done_] + 1, kMaxOrder);
  at::Tensor next = latent_;
  for (int back = 0; back < known; ++back) {
    next = next + Weight(order, back) * history_[known - 1 - back];
  }
  return next;
}

}  // namespace genzo
