#include "worker/sampler/sampler_options.h"

#include <algorithm>
#include <cmath>

namespace genzo {

double Churn::GammaAt(double sigma, int steps) const {
  if (amount <= 0 || sigma < min_sigma || sigma > max_sigma) return 0;
  return std::min(amount / steps, std::sqrt(2.0) - 1);
}

SamplerOptions OptionsOf(const v1::GenerateRequest& request) {
  SamplerOptions options = {.steps = static_cast<int>(request.steps())};
  if (request.has_eta()) options.eta = request.eta();
  options.sigmas.assign(request.sigmas().begin(), request.sigmas().end());
  options.timesteps.assign(request.timesteps().begin(),
                           request.timesteps().end());
  if (request.has_churn()) {
    const v1::Churn& churn = request.churn();
    options.churn.amount = churn.amount();
    options.churn.min_sigma = churn.min_sigma();
    if (churn.has_max_sigma()) options.churn.max_sigma = churn.max_sigma();
    if (churn.has_noise()) options.churn.noise = churn.noise();
  }
  return options;
}

}  // namespace genzo
