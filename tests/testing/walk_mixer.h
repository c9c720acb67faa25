#ifndef GENZO_TESTS_TESTING_WALK_MIXER_H_
#define GENZO_TESTS_TESTING_WALK_MIXER_H_

#include <algorithm>
#include <cmath>
#include <vector>

#include "genzo/v1/image_generation.pb.h"
#include "genzo/v1/model_registry.pb.h"
#include "tests/testing/draws.h"

namespace genzo {

// Draws how a request walks: a sampler of the model's, and of what that reads
// (Model.samplers says it, so that a new sampler is drawn, too) schedules,
// levels of its own, and noise.
class WalkMixer {
 public:
  // The model takes at most 1 for a sigma where its samplers are a flow's.
  explicit WalkMixer(const v1::Model& model)
      : samplers_(model.samplers().begin(), model.samplers().end()),
        flow_(std::any_of(samplers_.begin(), samplers_.end(),
                          [](const v1::SamplerSupport& row) {
                            return row.sampler() == v1::SAMPLER_FLOW_EULER;
                          })) {}

  // After everything else of the request is drawn: its steps may become more.
  void Draw(Draws& draws, v1::GenerateRequest& request) {
    const v1::SamplerSupport row = Next(draws);
    request.set_sampler(row.sampler());
    request.set_steps(std::max(request.steps(), row.min_steps()));
    if (request.has_hires()) {
      v1::HiresPass& hires = *request.mutable_hires();
      hires.set_steps(std::max(hires.steps(), row.min_steps()));
    }
    DrawLevels(row, draws, request);
    DrawNoise(draws, request);
  }

 private:
  // Each once before any comes again.
  v1::SamplerSupport Next(Draws& draws) {
    if (left_.empty()) left_ = samplers_;
    const auto drawn = left_.begin() + draws.Below(left_.size());
    const v1::SamplerSupport row = *drawn;
    left_.erase(drawn);
    return row;
  }

  void DrawLevels(const v1::SamplerSupport& row, Draws& draws,
                  v1::GenerateRequest& request) const {
    const size_t kind = draws.Below(4);
    const auto steps = static_cast<int>(request.steps());
    if (kind == 0 && row.schedules_size() > 0) {
      request.set_schedule(static_cast<v1::NoiseSchedule>(
          row.schedules(static_cast<int>(draws.Below(row.schedules_size())))));
    } else if (kind == 1 && row.takes_sigmas()) {
      const double first = draws.Choose<double>(
          flow_ ? std::vector<double>{1, 0.8} : std::vector<double>{14.6, 5});
      const double ratio = draws.Choose<double>({0.7, 0.4});
      for (int i = 0; i < steps; ++i) {
        request.add_sigmas(first * std::pow(ratio, i));
      }
    } else if (kind == 2 && row.takes_timesteps()) {
      const int stride = draws.Choose<int>({37, 150});
      for (int i = 0; i < steps; ++i) request.add_timesteps(999 - i * stride);
    }
  }

  // Whose numbers it is, and how much of it: two samplers read `eta`, two
  // `churn`.
  static void DrawNoise(Draws& draws, v1::GenerateRequest& request) {
    request.set_noise_generator(draws.Choose<v1::NoiseGenerator>(
        {v1::NOISE_GENERATOR_CPU, v1::NOISE_GENERATOR_CUDA}));
    if (draws.OneIn(2)) return;
    switch (request.sampler()) {
      case v1::SAMPLER_DDIM:
      case v1::SAMPLER_TCD:
        request.set_eta(draws.Choose<double>({0.4, 1}));
        break;
      case v1::SAMPLER_EULER:
      case v1::SAMPLER_EDM_HEUN:
        request.mutable_churn()->set_amount(draws.Choose<double>({1, 5}));
        request.mutable_churn()->set_max_sigma(10);
        break;
      default:
        break;
    }
  }

  const std::vector<v1::SamplerSupport> samplers_;
  const bool flow_;
  std::vector<v1::SamplerSupport> left_;  // of this round
};

}  // namespace genzo

#endif  // GENZO_TESTS_TESTING_WALK_MIXER_H_
