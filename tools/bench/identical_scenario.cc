#include <array>

#include "absl/strings/str_cat.h"
#include "tools/bench/picture_comparison.h"
#include "tools/bench/scenarios.h"

namespace genzo {
namespace {

struct Mode {
  const char* name;
  v1::Reproducibility mode;
};
constexpr std::array<Mode, 2> kModes = {
    {{"fast", v1::REPRODUCIBILITY_FAST},
     {"reproducible", v1::REPRODUCIBILITY_REPRODUCIBLE}}};

PicturesByIndex Pictures(const LoadResult& result) {
  PicturesByIndex pictures;
  for (const Measurement& call : result.measurements) {
    if (call.succeeded()) pictures[call.index] = call.picture;
  }
  return pictures;
}

// The same requests with so many clients.
LoadResult Run(Session& session, const Mode& mode, const std::string& label,
               int clients) {
  return session.RunClosed(
      label,
      {.clients = clients,
       .horizon = {.duration = {}, .requests = session.options().concurrency},
       .plan = [&](int index) {
         CallPlan plan = session.PlanOf(index);
         plan.keep_picture = true;
         plan.mixed.request.set_reproducibility(mode.mode);
         return plan;
       }});
}

}  // namespace

ScenarioReport RunIdenticalScenario(Session& session) {
  ScenarioReport report = {.name = "identical"};
  for (const Mode& mode : kModes) {
    const std::string alone_label = absl::StrCat(mode.name, " alone");
    const std::string together_label = absl::StrCat(mode.name, " together");
    const LoadResult alone = Run(session, mode, alone_label, /*clients=*/1);
    const LoadResult together =
        Run(session, mode, together_label, session.options().concurrency);
    report.points.push_back(
        session.MakePoint(alone_label, std::nullopt, alone));
    report.points.push_back(
        session.MakePoint(together_label, std::nullopt, together));
    const PictureComparison comparison =
        Compare(Pictures(alone), Pictures(together));
    report.findings[absl::StrCat(mode.name, "_compared")] = comparison.compared;
    report.findings[absl::StrCat(mode.name, "_identical_share")] =
        OrNull(comparison.IdenticalShare());
    report.findings[absl::StrCat(mode.name, "_largest_difference")] =
        comparison.largest_difference;
  }
  return report;
}

}  // namespace genzo
