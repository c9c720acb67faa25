#include "worker/sampler/lms_sampler.h"

#include <algorithm>
#include <cmath>

#include "worker/sampler/prediction.h"
#include "worker/sampler/sigmas.h"

namespace genzo {
namespace {

constexpr int kMaxOrder = 4;

}  // namespace

LmsSampler::LmsSampler(const SchedulerConfig& config,
                       const SamplerOptions& options, const SamplerStart& start)
    : LmsSampler(config, start, Plan(config, options.steps, start.first_step)) {
}

LmsSampler::LmsSampler(const SchedulerConfig& config, const SamplerStart& start,
                       const WalkPlan& plan)
    : PlannedSampler(plan, start, InitialSigma(config, plan.levels[0].sigma)),
      config_(config) {}

at::Tensor LmsSampler::ScaledSample() const {
  return latent_ / std::hypot(level().sigma, 1);
}

int LmsSampler::HistoryLength(int evaluations) const {
  return std::min(evaluations, kMaxOrder);
}

// Integral of Lagrange's polynomial over the step. It is of degree three at
// most, for which Gauss' rule of two points is exact.
double LmsSampler::Weight(int order, int back) const {
  const auto sigma = [&](int i) { return plan_.levels[i].sigma; };
  const auto polynomial = [&](double tau) {
    double product = 1;
    for (int k = 0; k < order; ++k) {
      if (k == back) continue;
      product *=
          (tau - sigma(done_ - k)) / (sigma(done_ - back) - sigma(done_ - k));
    }
    return product;
  };
  const double middle = (sigma(done_) + sigma(done_ + 1)) / 2;
  const double half = (sigma(done_ + 1) - sigma(done_)) / 2;
  const double offset = half / std::sqrt(3.0);
  return half * (polynomial(middle - offset) + polynomial(middle + offset));
}

at::Tensor LmsSampler::Step(const at::Tensor& prediction) {
  denoised_ =
      CleanEstimate(config_.prediction_type, prediction, latent_, level());
  if (history_.size() == kMaxOrder) history_.pop_front();
  history_.push_back((latent_ - denoised_) / level().sigma);
  const int order = static_cast<int>(history_.size());
  at::Tensor next = latent_;
  for (int back = 0; back < order; ++back) {
    next = next + Weight(order, back) * history_[order - 1 - back];
  }
  return next;
}

}  // namespace genzo
