#include "absl/strings/str_cat.h"
#include "tools/bench/profile_limit.h"
#include "tools/bench/scenarios.h"

namespace genzo {
namespace {

// Throughput over that of one client, by clients.
Json Gains(const std::vector<Point>& points) {
  double one_client = 0;
  for (const Point& point : points) {
    if (point.x == 1) one_client = point.summary.pictures_per_second;
  }
  if (one_client == 0) return nullptr;
  Json gains = Json::object();
  for (const Point& point : points) {
    gains[absl::StrCat(*point.x)] =
        Rounded(point.summary.pictures_per_second / one_client);
  }
  return gains;
}

// What the server's profile would allow; null if its page cannot be read.
Json Allowed(const Session& session) {
  if (session.read_metrics() == nullptr) return nullptr;
  const auto page = session.read_metrics()();
  if (!page.ok()) return nullptr;
  const auto gain = GainOfSharing(ReadProfile(*page, session.model().id()),
                                  session.mix().kinds());
  return gain.has_value() ? Json(Rounded(*gain)) : nullptr;
}

}  // namespace

ScenarioReport RunClosedScenario(Session& session) {
  ScenarioReport report = {.name = "closed", .axis = "clients"};
  for (int clients : session.options().clients) {
    if (session.server_gone()) break;
    const std::string label = absl::StrCat("closed ", clients);
    report.points.push_back(
        session.MakePoint(label, clients, session.RunClosed(label, clients)));
  }
  report.findings["gain_over_one_client"] = Gains(report.points);
  report.findings["gain_that_the_profile_allows"] = Allowed(session);
  return report;
}

}  // namespace genzo
