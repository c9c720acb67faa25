#include "tools/sim/workload.h"

#include <cmath>
#include <random>

#include "absl/strings/str_cat.h"

namespace genzo {
namespace {

// The time of the next arrival of a process that runs `burst` times as fast in
// one 1/burst of every cycle.
absl::Time Stretch(absl::Time begin, double busy_seconds,
                   const WorkloadOptions& options) {
  if (options.burst <= 1) return begin + absl::Seconds(busy_seconds);
  const double cycle = absl::ToDoubleSeconds(options.burst_cycle);
  const double busy = cycle / options.burst;
  const double cycles = std::floor(busy_seconds / busy);
  return begin + absl::Seconds(cycles * cycle + busy_seconds - cycles * busy);
}

template <typename T>
T Choose(const std::vector<T>& values, std::mt19937_64& random) {
  return values[random() % values.size()];
}

int DrawModel(int models, std::mt19937_64& random) {
  std::vector<double> weights;
  for (int i = 1; i <= models; ++i) weights.push_back(1.0 / i);
  return std::discrete_distribution<int>(weights.begin(),
                                         weights.end())(random);
}

}  // namespace

std::vector<SimRequest> MakeWorkload(const WorkloadOptions& options,
                                     absl::Time begin) {
  std::mt19937_64 random(options.seed);
  std::uniform_real_distribution<double> share(0, 1);
  const double flood_rate = options.rate * options.flood / options.tenants;
  const double total_rate = options.rate + flood_rate;
  std::exponential_distribution<double> gap(total_rate *
                                            std::max(1.0, options.burst));
  std::vector<SimRequest> requests;
  double busy_seconds = 0;
  for (int i = 0; i < options.requests; ++i) {
    busy_seconds += gap(random);
    SimRequest request;
    request.id = absl::StrCat("r", i);
    JobDemand& demand = request.demand;
    demand.accepted = Stretch(begin, busy_seconds, options);
    demand.model = absl::StrCat("model", DrawModel(options.models, random));
    const bool floods = share(random) < flood_rate / total_rate;
    demand.tenant =
        floods ? "flood" : absl::StrCat("tenant", random() % options.tenants);
    demand.pixels = options.own_pixels;
    demand.rows = 2;
    demand.steps = 25;
    if (options.mixed) {
      demand.pixels = Choose<int64_t>(
          {options.own_pixels, options.own_pixels, options.own_pixels / 4},
          random);
      demand.rows = Choose<int>({2, 2, 2, 1}, random);
      demand.steps = Choose<int>({4, 20, 25, 30, 50}, random);
    }
    request.deadline_factor = options.deadline_factor;
    request.has_deadline = share(random) < options.with_deadline;
    if (share(random) < options.cancelled) {
      request.cancel_after = 0.05 + 0.95 * share(random);
    }
    requests.push_back(std::move(request));
  }
  return requests;
}

}  // namespace genzo
