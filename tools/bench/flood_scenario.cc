#include <algorithm>
#include <iterator>

#include "absl/strings/str_cat.h"
#include "tools/bench/load_plan.h"
#include "tools/bench/scenarios.h"

namespace genzo {
namespace {

constexpr int kFloodFactor = 8;
// The two sides take turns: a machine that gets slower meanwhile slows both.
constexpr int kRounds = 3;
constexpr char kFlooder[] = "flooder";

// Independent arrivals of one tenant's.
std::vector<TimedCall> CallsOf(const std::string& tenant, double load,
                               Horizon horizon, uint64_t seed,
                               const Session& session) {
  std::vector<TimedCall> calls = session.PlansAt(
      PoissonArrivals(load * session.serial_capacity(), horizon, seed));
  for (TimedCall& call : calls) call.plan.tenant = tenant;
  return calls;
}

// The light tenants' calls of one round, and the flooder's if there is one.
std::vector<TimedCall> Calls(const Session& session, int round,
                             bool with_flooder) {
  const BenchOptions& options = session.options();
  Horizon horizon = options.horizon;
  if (horizon.requests > 0) {  // for all tenants, the flooder included
    const int shares = options.tenants + kFloodFactor;
    const double rate =
        shares * options.tenant_load * session.serial_capacity();
    horizon = {.duration = absl::Seconds(horizon.requests / rate)};
  }
  horizon.duration /= kRounds;
  std::vector<TimedCall> calls;
  const int seeds = round * (options.tenants + 1);
  for (int i = 0; i < options.tenants + (with_flooder ? 1 : 0); ++i) {
    const bool light = i < options.tenants;
    std::vector<TimedCall> added =
        CallsOf(light ? absl::StrCat("light-", i + 1) : kFlooder,
                options.tenant_load * (light ? 1 : kFloodFactor), horizon,
                options.mix.seed + seeds + i, session);
    std::move(added.begin(), added.end(), std::back_inserter(calls));
  }
  std::stable_sort(calls.begin(), calls.end(),
                   [](const TimedCall& a, const TimedCall& b) {
                     return a.arrival < b.arrival;
                   });
  return calls;
}

LoadResult Only(const LoadResult& all, bool flooder) {
  LoadResult some = {.measurements = {}, .window = all.window};
  for (const Measurement& call : all.measurements) {
    if ((call.tenant == kFlooder) == flooder) some.measurements.push_back(call);
  }
  return some;
}

// How many times as long as alone the light tenants wait.
Json Slowed(const Summary& alone, const Summary& beside,
            double Spread::*quantile) {
  if (!alone.total.has_value() || !beside.total.has_value()) return nullptr;
  return Rounded(*beside.total.*quantile / (*alone.total.*quantile));
}

}  // namespace

ScenarioReport RunFloodScenario(Session& session) {
  ScenarioReport report = {.name = "flood"};
  LoadResult alone;
  LoadResult all;
  for (int round = 0; round < kRounds && !session.server_gone(); ++round) {
    const auto run = [&](const char* label, bool with_flooder) {
      return session.RunOpen(label, Calls(session, round, with_flooder));
    };
    alone.Append(run("light alone", /*with_flooder=*/false));
    if (session.server_gone()) break;
    all.Append(run("light beside flooder", /*with_flooder=*/true));
  }
  report.points.push_back(
      session.MakePoint("light alone", std::nullopt, alone));
  report.points.push_back(session.MakePoint(
      "light beside flooder", std::nullopt, Only(all, /*flooder=*/false)));
  report.points.push_back(
      session.MakePoint("flooder", std::nullopt, Only(all, /*flooder=*/true)));
  report.points[1].summary.unsent = all.unsent;
  const Summary together = session.MakePoint("", std::nullopt, all).summary;
  report.findings["jain_alone"] = OrNull(report.points[0].summary.jain);
  report.findings["jain_of_light_beside_flooder"] =
      OrNull(report.points[1].summary.jain);
  report.findings["jain_with_flooder"] = OrNull(together.jain);
  report.findings["light_p50_over_alone"] =
      Slowed(report.points[0].summary, report.points[1].summary, &Spread::p50);
  report.findings["light_p99_over_alone"] =
      Slowed(report.points[0].summary, report.points[1].summary, &Spread::p99);
  return report;
}

}  // namespace genzo
