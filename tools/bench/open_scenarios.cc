#include <algorithm>

#include "absl/strings/str_cat.h"
#include "tools/bench/load_plan.h"
#include "tools/bench/scenarios.h"

namespace genzo {
namespace {

constexpr double kGammaVariation = 4;
constexpr double kBurstFactor = 8;
constexpr int kPicturesPerCycle = 40;  // serial ones

// Runs `arrivals` of the mix.
Point RunArrivals(Session& session, const std::string& label,
                  std::optional<double> x,
                  const std::vector<absl::Duration>& arrivals) {
  return session.MakePoint(label, x,
                           session.RunOpen(label, session.PlansAt(arrivals)));
}

double Peak(const std::vector<Point>& points, double Summary::*rate) {
  double peak = 0;
  for (const Point& point : points) {
    peak = std::max(peak, point.summary.*rate);
  }
  return peak;
}

}  // namespace

ScenarioReport RunPoissonScenario(Session& session) {
  ScenarioReport report = {.name = "poisson", .axis = "offered load"};
  const BenchOptions& options = session.options();
  for (double load : options.loads) {
    if (session.server_gone()) break;
    report.points.push_back(
        RunArrivals(session, absl::StrCat("poisson ", load), load,
                    PoissonArrivals(load * session.serial_capacity(),
                                    options.horizon, options.mix.seed)));
  }
  report.findings["peak_over_serial_capacity"] =
      Rounded(Peak(report.points, &Summary::pictures_per_second) /
              session.serial_capacity());
  return report;
}

ScenarioReport RunBurstScenario(Session& session) {
  ScenarioReport report = {.name = "burst"};
  const BenchOptions& options = session.options();
  const double rate = options.burst_load * session.serial_capacity();
  const OnOff on_off = {.factor = kBurstFactor,
                        .cycle = session.solo().Mean() * kPicturesPerCycle};
  report.points.push_back(RunArrivals(
      session, "on/off 8x", std::nullopt,
      OnOffArrivals(rate, on_off, options.horizon, options.mix.seed)));
  if (session.server_gone()) return report;
  report.points.push_back(RunArrivals(
      session, "gamma cv 4", std::nullopt,
      GammaArrivals(rate, kGammaVariation, options.horizon, options.mix.seed)));
  return report;
}

ScenarioReport RunOverloadScenario(Session& session) {
  ScenarioReport report = {.name = "overload", .axis = "offered load"};
  const BenchOptions& options = session.options();
  for (double load : options.overload_loads) {
    if (session.server_gone()) break;
    std::vector<TimedCall> calls = session.PlansAt(PoissonArrivals(
        load * session.serial_capacity(), options.horizon, options.mix.seed));
    for (TimedCall& call : calls) {
      call.plan.deadline = session.solo().Limit(call.plan.mixed.kind);
    }
    const std::string label = absl::StrCat("overload ", load);
    report.points.push_back(session.MakePoint(
        label, load, session.RunOpen(label, std::move(calls))));
  }
  const double peak = Peak(report.points, &Summary::goodput_per_second);
  report.findings["peak_goodput_per_second"] = Rounded(peak);
  report.findings["last_goodput_over_peak"] =
      peak > 0 ? Json(Rounded(report.points.back().summary.goodput_per_second /
                              peak))
               : Json(nullptr);
  return report;
}

}  // namespace genzo
