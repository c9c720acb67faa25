#include "server/resolve/sampler.h"

#include <algorithm>
#include <limits>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/shortest_digits.h"

namespace genzo {
namespace {

using v1::GenerateRequest;

std::string SamplerName(int sampler) {
  return NameOf(*v1::Sampler_descriptor(), sampler);
}

// The model's row for the sampler; null if it has none.
const v1::SamplerSupport* FindSampler(const v1::Model& model, int sampler) {
  const auto& all = model.samplers();
  const auto found = std::find_if(
      all.begin(), all.end(),
      [&](const v1::SamplerSupport& row) { return row.sampler() == sampler; });
  return found == all.end() ? nullptr : &*found;
}

void CheckSchedule(const v1::SamplerSupport& support, int schedule,
                   Violations& violations) {
  if (schedule == v1::NOISE_SCHEDULE_UNSPECIFIED) return;
  std::vector<std::string> known;
  for (const int other : support.schedules()) {
    if (other == schedule) return;
    known.push_back(NameOf(*v1::NoiseSchedule_descriptor(), other));
  }
  violations.Add(
      "schedule",
      absl::StrCat("schedule ",
                   NameOf(*v1::NoiseSchedule_descriptor(), schedule),
                   " does not go with sampler ", SamplerName(support.sampler()),
                   "; besides the model's own it takes: ",
                   known.empty() ? "none" : absl::StrJoin(known, ", ")));
}

std::string Shown(double level) { return ShortestDigits(level); }
std::string Shown(uint32_t level) { return absl::StrCat(level); }

// What each level of one's own is over, and at most.
struct LevelBounds {
  double over = 0;
  double most = 0;
};

// Levels of one's own: one for each step, falling. What they may be more
// closely, the sampler says.
template <typename Values>
void CheckLevels(const std::string& field, const Values& values,
                 const LevelBounds& bounds, const GenerateRequest& request,
                 Violations& violations) {
  const auto count = static_cast<uint32_t>(values.size());
  if (count != request.steps()) {
    violations.Add(field, absl::StrCat(field, " has ", count,
                                       " entries, not one for each of ",
                                       request.steps(), " steps"));
    return;
  }
  if (request.schedule() != v1::NOISE_SCHEDULE_UNSPECIFIED) {
    violations.Add(field, absl::StrCat(field, " does not go with schedule"));
  }
  for (int i = 0; i < values.size(); ++i) {
    const auto fault = [&](const auto&... what) {
      violations.Add(field, absl::StrCat(field, "[", i, "] ", Shown(values[i]),
                                         " is not ", what...));
    };
    // False for NaN.
    if (!(values[i] > bounds.over && values[i] <= bounds.most)) {
      return fault("over ", bounds.over, " and at most ", bounds.most);
    }
    if (i > 0 && values[i] >= values[i - 1]) {
      return fault("below the one before it");
    }
  }
}

// `taken`: whether the sampler reads them.
template <typename Values>
void CheckLevelsOf(const std::string& field, const Values& values, bool taken,
                   const LevelBounds& bounds, const GenerateRequest& request,
                   Violations& violations) {
  if (values.empty()) return;
  if (taken) return CheckLevels(field, values, bounds, request, violations);
  violations.Add(field, absl::StrCat(field, " does not go with sampler ",
                                     SamplerName(request.sampler())));
}

bool IsOfFlow(int sampler) {
  return sampler == v1::SAMPLER_FLOW_EULER || sampler == v1::SAMPLER_FLOW_HEUN;
}

void CheckWalk(const v1::SamplerSupport& support,
               const GenerateRequest& request, Violations& violations) {
  // None at all is told of by the limits.
  if (request.steps() > 0 && request.steps() < support.min_steps()) {
    violations.Add("steps",
                   absl::StrCat("steps ", request.steps(), " is below ",
                                support.min_steps(), ", the fewest of sampler ",
                                SamplerName(request.sampler())));
  }
  if (!request.sigmas().empty() && !request.timesteps().empty()) {
    violations.Add("timesteps", "timesteps does not go with sigmas");
  }
  constexpr double kMostSigma = 32768;
  CheckLevelsOf(
      "sigmas", request.sigmas(), support.takes_sigmas(),
      {.over = 0, .most = IsOfFlow(request.sampler()) ? 1 : kMostSigma},
      request, violations);
  CheckLevelsOf("timesteps", request.timesteps(), support.takes_timesteps(),
                {.over = -1, .most = std::numeric_limits<uint32_t>::max()},
                request, violations);
  violations.CheckEnum("noise_generator", request.noise_generator(),
                       *v1::NoiseGenerator_descriptor());
  if (!request.has_churn()) return;
  constexpr double kMaxChurn = 1000;
  constexpr double kMaxSigma = 1e9;
  const v1::Churn& churn = request.churn();
  violations.CheckRange("churn.amount", churn.amount(), 0.0, kMaxChurn);
  violations.CheckRange("churn.min_sigma", churn.min_sigma(), 0.0, kMaxSigma);
  if (churn.has_max_sigma()) {
    violations.CheckRange("churn.max_sigma", churn.max_sigma(),
                          churn.min_sigma(), kMaxSigma);
  }
  violations.CheckRange("churn.noise", churn.noise(), 0.0, 2.0);
  if (request.sampler() != v1::SAMPLER_EULER &&
      request.sampler() != v1::SAMPLER_EDM_HEUN) {
    violations.Add("churn", absl::StrCat("churn needs sampler SAMPLER_EULER or "
                                         "SAMPLER_EDM_HEUN, not ",
                                         SamplerName(request.sampler())));
  }
}

// What people call the samplers of models that follow a flow: Euler's method is
// Euler's there, too.
void TakeTwinInFlow(const v1::Model& model, v1::GenerateRequest& request) {
  if (FindSampler(model, request.sampler()) != nullptr) return;
  const auto take = [&](v1::Sampler asked, v1::Sampler twin) {
    if (request.sampler() == asked && FindSampler(model, twin) != nullptr) {
      request.set_sampler(twin);
    }
  };
  take(v1::SAMPLER_EULER, v1::SAMPLER_FLOW_EULER);
  take(v1::SAMPLER_HEUN, v1::SAMPLER_FLOW_HEUN);
}

}  // namespace

void ResolveSampler(const v1::Model& model, v1::GenerateRequest& request,
                    Violations& violations) {
  if (request.sampler() == v1::SAMPLER_UNSPECIFIED) {
    request.set_sampler(model.default_sampler());
    if (request.schedule() == v1::NOISE_SCHEDULE_UNSPECIFIED &&
        request.sigmas().empty() && request.timesteps().empty()) {
      request.set_schedule(model.default_schedule());
    }
  }
  TakeTwinInFlow(model, request);
  const v1::SamplerSupport* support = FindSampler(model, request.sampler());
  if (support != nullptr) {
    CheckSchedule(*support, request.schedule(), violations);
    CheckWalk(*support, request, violations);
  } else {
    std::vector<std::string> known;
    for (const v1::SamplerSupport& row : model.samplers()) {
      known.push_back(SamplerName(row.sampler()));
    }
    violations.Add("sampler",
                   absl::StrCat("sampler ", SamplerName(request.sampler()),
                                " is not one of the model's: ",
                                absl::StrJoin(known, ", ")));
  }
  if (!request.has_eta()) return;
  violations.CheckRange("eta", request.eta(), 0.0, 1.0);
  if (request.eta() > 0 && request.sampler() != v1::SAMPLER_DDIM &&
      request.sampler() != v1::SAMPLER_TCD) {
    violations.Add(
        "eta", absl::StrCat("eta ", ShortestDigits(request.eta()),
                            " needs sampler SAMPLER_DDIM or SAMPLER_TCD, not ",
                            SamplerName(request.sampler())));
  }
}

}  // namespace genzo
