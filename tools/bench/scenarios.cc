#include "tools/bench/scenarios.h"

#include <array>

namespace genzo {

absl::Span<const Scenario> Scenarios() {
  static constexpr std::array<Scenario, 8> kScenarios = {{
      {"closed", "clients that wait for their pictures (--clients)",
       &RunClosedScenario},
      {"poisson",
       "independent arrivals at shares of the serial capacity (--loads)",
       &RunPoissonScenario},
      {"burst",
       "arrivals in bursts: on/off with 8 times the rate, and Gamma gaps with "
       "a coefficient of variation of 4 (--burst-load)",
       &RunBurstScenario},
      {"flood",
       "light tenants with and without one that sends 8 times as much "
       "(--tenants, --tenant-load)",
       &RunFloodScenario},
      {"cancel",
       "15 % of the calls cancelled while they are painted (--concurrency, "
       "--admin)",
       &RunCancelScenario},
      {"previews", "previews off, every 5 steps, every step (--concurrency)",
       &RunPreviewsScenario},
      {"identical",
       "pictures painted together against the same painted alone, in both "
       "modes (--concurrency)",
       &RunIdenticalScenario},
      {"overload",
       "arrivals up to 1.5 times capacity with deadlines (--overload-loads, "
       "--deadline-factor)",
       &RunOverloadScenario},
  }};
  return kScenarios;
}

}  // namespace genzo
