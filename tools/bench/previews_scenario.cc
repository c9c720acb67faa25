#include <array>

#include "absl/strings/str_cat.h"
#include "tools/bench/scenarios.h"

namespace genzo {
namespace {

constexpr int kRounds = 3;

struct Variant {
  const char* label;
  uint32_t every;
};
constexpr std::array<Variant, 3> kVariants = {
    {{"off", 0}, {"every 5", 5}, {"every step", 1}}};

LoadResult Run(Session& session, const Variant& variant, int round) {
  Horizon horizon = session.options().horizon;
  horizon.duration /= kRounds;
  horizon.requests = (horizon.requests + kRounds - 1) / kRounds;
  return session.RunClosed(
      absl::StrCat("previews ", variant.label, ", round ", round + 1),
      {.clients = session.options().concurrency,
       .horizon = horizon,
       .plan = [&](int index) {
         CallPlan plan = session.PlanOf(index);
         v1::PreviewPlan& preview = *plan.mixed.request.mutable_preview();
         preview.set_every(variant.every);
         preview.set_decoder(v1::PREVIEW_DECODER_UNSPECIFIED);
         return plan;
       }});
}

// Percent of the throughput without previews that is lost.
Json Cost(const Point& without, const Point& with) {
  const double full = without.summary.pictures_per_second;
  if (full == 0) return nullptr;
  return Rounded(100 * (1 - with.summary.pictures_per_second / full));
}

}  // namespace

ScenarioReport RunPreviewsScenario(Session& session) {
  // Rounds, so that a machine that changes its speed favours no variant.
  std::array<LoadResult, kVariants.size()> results;
  for (int round = 0; round < kRounds; ++round) {
    for (size_t i = 0; i < kVariants.size(); ++i) {
      if (session.server_gone()) break;
      results[i].Append(Run(session, kVariants[i], round));
    }
  }
  ScenarioReport report = {.name = "previews"};
  for (size_t i = 0; i < kVariants.size(); ++i) {
    report.points.push_back(
        session.MakePoint(absl::StrCat("previews ", kVariants[i].label),
                          std::nullopt, results[i]));
  }
  report.findings["cost_every_5_percent"] =
      Cost(report.points[0], report.points[1]);
  report.findings["cost_every_step_percent"] =
      Cost(report.points[0], report.points[2]);
  return report;
}

}  // namespace genzo
