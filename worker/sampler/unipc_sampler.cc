#include "worker/sampler/unipc_sampler.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "ATen/ops/linalg_solve.h"
#include "ATen/ops/tensor.h"
#include "worker/sampler/dpm_solver.h"
#include "worker/sampler/solver_plan.h"

namespace genzo {
namespace {

// Weights of the differences between values at lambdas `at` (of the move's
// length) that make the move exact to their number's order: the solution of
// arXiv:2302.04867, eq. 8, with B(h) `scale`, and `hh` the move's length in
// lambda, negative for clean estimates.
std::vector<double> DifferenceWeights(const std::vector<double>& at, double hh,
                                      double scale) {
  const auto count = static_cast<int64_t>(at.size());
  std::vector<double> right;
  double phi = std::expm1(hh) / hh - 1;
  double factorial = 1;
  for (int64_t i = 1; i <= count; ++i) {
    right.push_back(phi * factorial / scale);
    factorial *= static_cast<double>(i + 1);
    phi = phi / hh - 1 / factorial;
  }
  std::vector<double> powers;
  for (int64_t i = 0; i < count; ++i) {
    for (double x : at) powers.push_back(std::pow(x, i));
  }
  const at::Tensor solved =
      at::linalg_solve(at::tensor(powers).view({count, count}),
                       at::tensor(right))
          .contiguous();
  return {solved.const_data_ptr<double>(),
          solved.const_data_ptr<double>() + count};
}

}  // namespace

WalkPlan UnipcSampler::Plan(const SchedulerConfig& config, int steps,
                            int first_step) {
  return PlanSolver(
      config, steps, first_step,
      {.respaced_stays = true, .flow_gap = 1e-6, .flow_karras_of_betas = true});
}

UnipcSampler::UnipcSampler(const SchedulerConfig& config,
                           const SamplerOptions& options,
                           const SamplerStart& start)
    : PlannedSampler(Plan(config, options.steps, start.first_step), start),
      config_(config) {}

int UnipcSampler::HistoryLength(int evaluations) const {
  return std::min(evaluations, config_.solver_order);
}

int UnipcSampler::Order(int done) const {
  const int order = std::min(config_.solver_order, done + 1);
  const int left = plan_.evaluations() - done;
  if (config_.lower_order_final) return std::min(order, left);
  return left == 1 && config_.final_sigma_is_zero ? 1 : order;
}

bool UnipcSampler::Corrects() const {
  const std::vector<int64_t>& off = config_.disable_corrector;
  return done_ > 0 &&
         std::count(off.begin(), off.end(), plan_.steps_done[done_] - 1) == 0;
}

at::Tensor UnipcSampler::Move(const at::Tensor& sample, int begin, int order,
                              const at::Tensor& now) const {
  const NoiseLevel& from = plan_.levels[begin];
  const NoiseLevel& to = plan_.levels[begin + 1];
  const DpmMove move = DpmMoveOf(config_, from, to);
  const double h = LambdaOf(to) - LambdaOf(from);
  const double hh = config_.plus_plus ? -h : h;
  const double scale = config_.bh1 ? hh : std::expm1(hh);
  const auto value = [&](int back) {
    return history_[history_.size() - 1 - back];
  };
  std::vector<double> at;
  std::vector<at::Tensor> differences;
  for (int i = 1; i < order; ++i) {
    at.push_back((LambdaOf(plan_.levels[begin - i]) - LambdaOf(from)) / h);
    differences.push_back((value(i) - value(0)) / at.back());
  }
  if (now.defined()) {
    at.push_back(1);
    differences.push_back(now - value(0));
  }
  at::Tensor next = move.sample * sample + move.value * value(0);
  if (differences.empty()) return next;
  // One difference has the reference's weight for any h.
  const std::vector<double> weights = differences.size() == 1
                                          ? std::vector<double>{0.5}
                                          : DifferenceWeights(at, hh, scale);
  const double factor = (config_.plus_plus ? to.alpha : to.sigma) * scale;
  for (size_t i = 0; i < differences.size(); ++i) {
    next = next - factor * weights[i] * differences[i];
  }
  return next;
}

at::Tensor UnipcSampler::Step(const at::Tensor& prediction) {
  const at::Tensor value =
      DpmValue(config_, prediction, latent_, level(), denoised_);
  last_sample_ = Corrects()
                     ? Move(last_sample_, done_ - 1, Order(done_ - 1), value)
                     : latent_;
  if (history_.size() == static_cast<size_t>(config_.solver_order)) {
    history_.pop_front();
  }
  history_.push_back(value);
  return Move(last_sample_, done_, Order(done_), /*now=*/{});
}

void UnipcSampler::Save(SamplerState& state) const {
  PlannedSampler::Save(state);
  if (done_ > 0) state.SetTensor("last_sample", last_sample_);
}

absl::Status UnipcSampler::Restore(const SamplerState& state) {
  if (absl::Status common = PlannedSampler::Restore(state); !common.ok()) {
    return common;
  }
  if (done_ == 0) return absl::OkStatus();
  StateReader reader(state);
  last_sample_ = reader.Tensor("last_sample", latent_);
  return reader.status();
}

}  // namespace genzo
