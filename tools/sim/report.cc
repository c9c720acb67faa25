#include "tools/sim/report.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <vector>

#include "absl/strings/str_format.h"
#include "base/statistics.h"

namespace genzo {
namespace {

using nlohmann::json;

// Null without values.
json Quantiles(const std::vector<double>& values) {
  const auto spread = SpreadOf(values);
  if (!spread.has_value()) {
    return {{"p50", nullptr}, {"p90", nullptr}, {"p99", nullptr}};
  }
  return {{"p50", spread->p50}, {"p90", spread->p90}, {"p99", spread->p99}};
}

// Pictures by tenant; of nobody's having any, too, it is fair.
double Fairness(const std::map<std::string, double>& by_tenant) {
  std::vector<double> shares;
  shares.reserve(by_tenant.size());
  for (const auto& [tenant, share] : by_tenant) shares.push_back(share);
  return JainIndex(shares).value_or(1);
}

std::string NameOf(const SimJob& job) {
  switch (job.end) {
    case SimJob::End::kDone:
      return "OK";
    case SimJob::End::kRefused:
      return job.reason;
    case SimJob::End::kExpired:
      return "DEADLINE_EXCEEDED";
    case SimJob::End::kCancelled:
      return "CANCELLED";
    default:
      return "LOST";
  }
}

}  // namespace

json Figures(const SimResult& result) {
  const double elapsed = absl::ToDoubleSeconds(result.elapsed);
  std::map<std::string, int> ends;
  std::map<std::string, double> by_tenant;
  std::vector<double> total, light_total, first_step, slowdown, error;
  std::vector<double> light_error;
  int in_time = 0;
  for (const auto& job : result.jobs) {
    ++ends[NameOf(*job)];
    const JobDemand& demand = job->request.demand;
    by_tenant[demand.tenant] += 0;
    if (job->end != SimJob::End::kDone) continue;
    const absl::Duration took = job->finish - demand.accepted;
    const double seconds = absl::ToDoubleSeconds(took);
    total.push_back(seconds);
    if (demand.tenant != "flood") light_total.push_back(seconds);
    first_step.push_back(
        absl::ToDoubleSeconds(job->first_step - demand.accepted));
    slowdown.push_back(absl::FDivDuration(took, job->solo));
    by_tenant[demand.tenant] += 1;
    in_time += job->finish <= job->due ? 1 : 0;
    if (job->predicted.has_value()) {
      error.push_back(std::abs(absl::FDivDuration(*job->predicted, took) - 1));
      if (demand.tenant != "flood") light_error.push_back(error.back());
    }
  }
  return {{"requests", result.jobs.size()},
          {"ends", ends},
          {"elapsed_seconds", elapsed},
          {"throughput", total.size() / elapsed},
          {"goodput", in_time / elapsed},
          {"total_seconds", Quantiles(total)},
          {"light_tenants_total_seconds", Quantiles(light_total)},
          {"first_step_seconds", Quantiles(first_step)},
          {"slowdown", Quantiles(slowdown)},
          {"prediction_error", Quantiles(error)},
          {"light_tenants_prediction_error", Quantiles(light_error)},
          {"jain_index", Fairness(by_tenant)},
          {"busy_share", result.busy_share},
          {"evaluations", result.evaluations},
          {"model_loads", result.model_loads},
          {"longest_wait_evaluations", result.longest_wait},
          {"most_live_runs", result.most_live}};
}

std::string TableHeader() {
  return absl::StrFormat("%-24s %7s %7s %7s %7s %7s %7s %7s %7s %7s", "policy",
                         "ok", "pict/s", "good/s", "p50 s", "p99 s", "step99",
                         "slow99", "jain", "pred50");
}

std::string TableLine(const std::string& name, const json& figures) {
  const auto number = [](const json& value) {
    return value.is_number() ? absl::StrFormat("%.3g", value.get<double>())
                             : std::string("-");
  };
  return absl::StrFormat(
      "%-24s %7d %7s %7s %7s %7s %7s %7s %7s %7s", name,
      figures["ends"].value("OK", 0), number(figures["throughput"]),
      number(figures["goodput"]), number(figures["total_seconds"]["p50"]),
      number(figures["total_seconds"]["p99"]),
      number(figures["first_step_seconds"]["p99"]),
      number(figures["slowdown"]["p99"]), number(figures["jain_index"]),
      number(figures["prediction_error"]["p50"]));
}

}  // namespace genzo
