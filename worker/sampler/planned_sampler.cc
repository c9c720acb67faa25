#include "worker/sampler/planned_sampler.h"

#include <utility>

#include "ATen/ops/equal.h"
#include "ATen/ops/tensor.h"
#include "absl/strings/str_cat.h"
#include "worker/sampler/prediction.h"

namespace genzo {
namespace {

at::Tensor Timesteps(const WalkPlan& plan) {
  return at::tensor(at::ArrayRef<double>(plan.timesteps));
}

std::string HistoryName(size_t index) {
  return absl::StrCat("history.", index);
}

}  // namespace

PlannedSampler::PlannedSampler(WalkPlan plan, const SamplerStart& start,
                               double noise_scale)
    : plan_(std::move(plan)),
      latent_(start.sample.defined()
                  ? Noised(start.sample, start.noise, plan_.levels[0])
                  : start.noise * noise_scale),
      source_(start.source) {}

std::optional<Query> PlannedSampler::Next() const {
  if (done_ == plan_.evaluations()) return std::nullopt;
  return Query{ScaledSample(), timestep()};
}

void PlannedSampler::Take(const at::Tensor& prediction) {
  latent_ = Step(prediction);
  ++done_;
}

void PlannedSampler::Replace(at::Tensor latent) {
  TORCH_CHECK(latent.sizes() == latent_.sizes() &&
                  latent.scalar_type() == latent_.scalar_type(),
              "latent ", latent.sizes(), " replaces one of ", latent_.sizes());
  latent_ = std::move(latent);
}

WalkProgress PlannedSampler::progress() const {
  return {.steps_done = plan_.steps_done[done_],
          .steps = plan_.steps(),
          .evaluations_done = done_,
          .evaluations = plan_.evaluations()};
}

at::Tensor PlannedSampler::Draw() {
  TORCH_CHECK(source_ != nullptr, name(), " draws noise and has no source");
  return source_->Draw(latent_.sizes());
}

at::Tensor PlannedSampler::Between(double sigma_from, double sigma_to) {
  TORCH_CHECK(source_ != nullptr, name(), " draws noise and has no source");
  return source_->Between(latent_.sizes(), sigma_from, sigma_to);
}

void PlannedSampler::Save(SamplerState& state) const {
  state.SetText("sampler", name());
  state.SetTensor("timesteps", Timesteps(plan_));
  state.SetInteger("evaluations_done", done_);
  state.SetTensor("latent", latent_);
  if (denoised_.defined()) state.SetTensor("denoised", denoised_);
  for (size_t i = 0; i < history_.size(); ++i) {
    state.SetTensor(HistoryName(i), history_[i]);
  }
  if (source_ != nullptr) state.SetText("noise", source_->Save());
}

absl::Status PlannedSampler::Restore(const SamplerState& state) {
  StateReader reader(state);
  if (const std::string sampler = reader.Text("sampler"); sampler != name()) {
    reader.Fail("sampler", absl::StrCat("is \"", sampler, "\", not ", name()));
  }
  const at::Tensor expected = Timesteps(plan_);
  const at::Tensor timesteps = reader.Tensor("timesteps", expected);
  if (reader.ok() && !at::equal(timesteps, expected)) {
    reader.Fail("timesteps", "are those of another walk");
  }
  done_ = static_cast<int>(
      reader.Integer("evaluations_done", 0, plan_.evaluations()));
  latent_ = reader.Tensor("latent", latent_);
  denoised_ = done_ > 0 ? reader.Tensor("denoised", latent_) : at::Tensor();
  history_.clear();
  for (int i = 0; i < HistoryLength(done_); ++i) {
    history_.push_back(reader.Tensor(HistoryName(i), latent_));
  }
  if (!reader.ok() || source_ == nullptr) return reader.status();
  return source_->Restore(reader.Text("noise"));
}

}  // namespace genzo
