#ifndef GENZO_TOOLS_BENCH_SCENARIOS_H_
#define GENZO_TOOLS_BENCH_SCENARIOS_H_

#include "absl/types/span.h"
#include "tools/bench/report.h"
#include "tools/bench/session.h"

// The loads that the bench knows. Each function runs them and returns what came
// of it; when the server goes away it returns early with what there is.

namespace genzo {

// Clients that wait for their pictures, a few to many: throughput, and the gain
// over one client.
ScenarioReport RunClosedScenario(Session& session);

// Independent arrivals at shares of the serial capacity.
ScenarioReport RunPoissonScenario(Session& session);
// The same mean rate in bursts of two shapes.
ScenarioReport RunBurstScenario(Session& session);
// Independent arrivals up to well over capacity, with deadlines.
ScenarioReport RunOverloadScenario(Session& session);

// Light tenants, alone and beside one that sends eight times as much.
ScenarioReport RunFloodScenario(Session& session);

// Some calls leave in the middle; how fast their places are free.
ScenarioReport RunCancelScenario(Session& session);

// What previews cost.
ScenarioReport RunPreviewsScenario(Session& session);

// Whether pictures painted together are those painted alone, in both modes.
ScenarioReport RunIdenticalScenario(Session& session);

// A row of the table of scenarios.
struct Scenario {
  const char* name;
  const char* help;
  ScenarioReport (*run)(Session& session);
};

// All of them, in the order in which they run.
absl::Span<const Scenario> Scenarios();

}  // namespace genzo

#endif  // GENZO_TOOLS_BENCH_SCENARIOS_H_
