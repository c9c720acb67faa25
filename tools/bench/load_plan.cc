#include "tools/bench/load_plan.h"

#include <cmath>
#include <random>

namespace genzo {
namespace {

// Collects what `next`, a function from one arrival to the next in seconds,
// makes of the start.
template <typename Next>
std::vector<absl::Duration> Collect(const Horizon& horizon, Next next) {
  std::vector<absl::Duration> arrivals;
  const double end = absl::ToDoubleSeconds(horizon.duration);
  double time = next(0.0);
  while (horizon.requests > 0
             ? arrivals.size() < static_cast<size_t>(horizon.requests)
             : time < end) {
    arrivals.push_back(absl::Seconds(time));
    time = next(time);
  }
  return arrivals;
}

}  // namespace

std::vector<absl::Duration> PoissonArrivals(double per_second,
                                            const Horizon& horizon,
                                            uint64_t seed) {
  std::mt19937_64 random(seed);
  std::exponential_distribution<double> gap(per_second);
  return Collect(horizon, [&](double time) { return time + gap(random); });
}

std::vector<absl::Duration> GammaArrivals(double per_second, double cv,
                                          const Horizon& horizon,
                                          uint64_t seed) {
  std::mt19937_64 random(seed);
  const double shape = 1 / (cv * cv);
  std::gamma_distribution<double> gap(shape, 1 / (per_second * shape));
  return Collect(horizon, [&](double time) { return time + gap(random); });
}

std::vector<absl::Duration> OnOffArrivals(double per_second,
                                          const OnOff& on_off,
                                          const Horizon& horizon,
                                          uint64_t seed) {
  std::mt19937_64 random(seed);
  std::exponential_distribution<double> unit(1);
  const double cycle = absl::ToDoubleSeconds(on_off.cycle);
  const double on = on_off.on_share * cycle;
  const double off_rate =
      per_second / (on_off.on_share * on_off.factor + 1 - on_off.on_share);
  // Spends an exponential amount of expected arrivals, phase by phase.
  return Collect(horizon, [&](double time) {
    double amount = unit(random);
    double cycle_begin = std::floor(time / cycle) * cycle;
    bool is_on = time < cycle_begin + on;
    for (;;) {
      const double rate = is_on ? off_rate * on_off.factor : off_rate;
      const double phase_end = cycle_begin + (is_on ? on : cycle);
      const double until_end = std::max(0.0, phase_end - time);
      if (amount < rate * until_end) return time + amount / rate;
      amount -= rate * until_end;
      time = phase_end;
      if (!is_on) cycle_begin += cycle;
      is_on = !is_on;
    }
  });
}

}  // namespace genzo
