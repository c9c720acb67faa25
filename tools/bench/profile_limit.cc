#include "tools/bench/profile_limit.h"

#include <algorithm>
#include <limits>

#include "absl/strings/str_cat.h"
#include "base/guidance_rules.h"
#include "client/server_figures.h"

namespace genzo {
namespace {

constexpr char kProfile[] = "genzo_profile_step_seconds";
constexpr int kMostRows = 64;

int RowsOf(const v1::GenerateRequest& request) {
  return IsGuided(request.guidance_scale()) ? 2 : 1;
}

}  // namespace

RowSeconds ReadProfile(const std::string& page, const std::string& model) {
  RowSeconds profile;
  const MetricsSample sample = MetricsSample::Parse(page);
  for (int rows = 1; rows <= kMostRows; ++rows) {
    const double seconds =
        sample.Sum(kProfile, {{"model", model}, {"rows", absl::StrCat(rows)}});
    if (seconds > 0) profile[rows] = seconds;
  }
  return profile;
}

std::optional<double> GainOfSharing(const RowSeconds& profile,
                                    const std::vector<RequestKind>& kinds) {
  double cheapest_row = std::numeric_limits<double>::infinity();
  for (const auto& [rows, seconds] : profile) {
    cheapest_row = std::min(cheapest_row, seconds / rows);
  }
  double alone = 0, together = 0;
  for (const RequestKind& kind : kinds) {
    const v1::GenerateRequest& request = kind.request;
    const int rows = RowsOf(request);
    const auto measured = profile.find(rows);
    if (measured == profile.end()) return std::nullopt;
    const double area = static_cast<double>(request.width()) * request.height();
    const double work = area * request.steps();
    alone += work * measured->second;
    together += work * rows * cheapest_row;
  }
  if (together == 0) return std::nullopt;
  return alone / together;
}

}  // namespace genzo
