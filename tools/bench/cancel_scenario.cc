#include <algorithm>
#include <random>

#include "tools/bench/scenarios.h"
#include "tools/bench/slot_release.h"

namespace genzo {
namespace {

constexpr double kCancelledShare = 0.15;
constexpr int kProbeRounds = 4;
constexpr int kProbeCalls = 4;  // at once

// The `index`-th request, which may be due to leave after some step.
CallPlan PlanOf(const Session& session, int index) {
  CallPlan plan = session.PlanOf(index);
  std::mt19937_64 random(session.options().mix.seed ^
                         static_cast<uint64_t>(index) << 20);
  if (std::bernoulli_distribution(kCancelledShare)(random)) {
    const uint32_t last = std::max(2u, plan.mixed.request.steps()) - 1;
    plan.cancel_at_step =
        std::uniform_int_distribution<uint32_t>(1, last)(random);
  }
  return plan;
}

// Seconds from cancelling to the slot's being free.
absl::StatusOr<std::vector<double>> Probe(Session& session) {
  const int calls = std::min(kProbeCalls, session.options().concurrency);
  std::vector<double> seconds;
  for (int round = 0; round < kProbeRounds; ++round) {
    std::vector<CallPlan> plans;
    for (int i = 0; i < calls; ++i) {
      plans.push_back(
          {.mixed = session.mix().OfKind(/*kind=*/0, round * calls + i)});
      plans.back().mixed.request.set_steps(
          session.model().limits().max_steps());
    }
    const auto measured =
        MeasureSlotReleases(session.stub(), plans, session.read_metrics(),
                            session.options().grace, session.clock());
    if (!measured.ok()) return measured.status();
    seconds.insert(seconds.end(), measured->begin(), measured->end());
  }
  return seconds;
}

}  // namespace

ScenarioReport RunCancelScenario(Session& session) {
  ScenarioReport report = {.name = "cancel"};
  const BenchOptions& options = session.options();
  report.points.push_back(session.MakePoint(
      "15 % cancelled", std::nullopt,
      session.RunClosed("15 % cancelled", {.clients = options.concurrency,
                                           .horizon = options.horizon,
                                           .plan = [&](int index) {
                                             return PlanOf(session, index);
                                           }})));
  Json& found = report.findings["cancel_to_slot_free_seconds"];
  if (session.read_metrics() == nullptr || session.server_gone()) return report;
  const auto seconds = Probe(session);
  if (!seconds.ok()) {
    report.findings["cancel_to_slot_free_error"] =
        std::string(seconds.status().message());
    return report;
  }
  const Spread spread = *SpreadOf(*seconds);
  found = {{"count", spread.count},
           {"p50", Rounded(spread.p50)},
           {"p90", Rounded(spread.p90)},
           {"p99", Rounded(spread.p99)}};
  return report;
}

}  // namespace genzo
