#include "tools/bench/report.h"

#include <cmath>

#include "google/protobuf/util/json_util.h"

namespace genzo {
namespace {

Json SpreadJson(const std::optional<Spread>& spread) {
  if (!spread.has_value()) return nullptr;
  return {{"count", spread->count},
          {"mean", spread->mean},
          {"p50", spread->p50},
          {"p90", spread->p90},
          {"p99", spread->p99}};
}

// {"median", "p90"}: of errors the rest says little.
Json ErrorJson(const std::optional<Spread>& spread) {
  if (!spread.has_value()) return nullptr;
  return {
      {"count", spread->count}, {"median", spread->p50}, {"p90", spread->p90}};
}

Json HistogramJson(const std::map<uint32_t, int>& histogram) {
  if (histogram.empty()) return nullptr;
  Json json = Json::object();
  for (const auto& [rows, steps] : histogram)
    json[std::to_string(rows)] = steps;
  return json;
}

Json ModelJson(const v1::Model& model) {
  std::string text;
  google::protobuf::util::JsonPrintOptions options;
  options.preserve_proto_field_names = true;
  if (!google::protobuf::util::MessageToJsonString(model, &text, options)
           .ok()) {
    return nullptr;
  }
  return Json::parse(text, /*cb=*/nullptr, /*allow_exceptions=*/false);
}

Json KindsJson(const BenchReport& report) {
  Json kinds = Json::array();
  for (size_t i = 0; i < report.kinds.size(); ++i) {
    kinds.push_back({{"name", report.kinds[i].name},
                     {"solo_seconds",
                      i < report.solo.by_kind.size()
                          ? Json(absl::ToDoubleSeconds(report.solo.by_kind[i]))
                          : Json(nullptr)}});
  }
  return kinds;
}

Json ScenarioJson(const ScenarioReport& scenario) {
  Json points = Json::array();
  for (const Point& point : scenario.points) {
    Json json = {{"label", point.label}, {"x", OrNull(point.x)}};
    json.update(ToJson(point.summary));
    points.push_back(std::move(json));
  }
  return {{"name", scenario.name},
          {"axis", scenario.axis.empty() ? Json(nullptr) : Json(scenario.axis)},
          {"findings", scenario.findings},
          {"points", std::move(points)}};
}

int Sum(const BenchReport& report, int Summary::*count) {
  int sum = 0;
  for (const ScenarioReport& scenario : report.scenarios) {
    for (const Point& point : scenario.points) sum += point.summary.*count;
  }
  return sum;
}

}  // namespace

int BenchReport::Lost() const { return Sum(*this, &Summary::lost); }
int BenchReport::Hung() const { return Sum(*this, &Summary::hung); }

double Rounded(double value) { return std::round(value * 1e4) / 1e4; }

Json OrNull(const std::optional<double>& value) {
  return value.has_value() ? Json(*value) : Json(nullptr);
}

Json ToJson(const Summary& summary) {
  return {
      {"calls", summary.calls},
      {"succeeded", summary.succeeded},
      {"unsent", summary.unsent},
      {"window_seconds", summary.window_seconds},
      {"pictures_per_second", summary.pictures_per_second},
      {"goodput_per_second", summary.goodput_per_second},
      {"total_seconds", SpreadJson(summary.total)},
      {"first_step_seconds", SpreadJson(summary.first_step)},
      {"first_preview_seconds", SpreadJson(summary.first_preview)},
      {"slowdown", SpreadJson(summary.slowdown)},
      {"queued_prediction_error", ErrorJson(summary.queued_prediction_error)},
      {"step_prediction_error", ErrorJson(summary.step_prediction_error)},
      {"steps_by_batch_rows", HistogramJson(summary.batch_rows)},
      {"tenant_pictures", summary.tenant_pictures},
      {"jain", OrNull(summary.jain)},
      {"outcomes", summary.outcomes},
      {"lost", summary.lost},
      {"hung", summary.hung}};
}

Json ToJson(const BenchReport& report) {
  Json scenarios = Json::array();
  for (const ScenarioReport& scenario : report.scenarios) {
    scenarios.push_back(ScenarioJson(scenario));
  }
  const bool has_solo = !report.solo.by_kind.empty();
  const double mean =
      has_solo ? absl::ToDoubleSeconds(report.solo.Mean()) : 0.0;
  return {
      {"date", report.environment.date},
      {"command_line", report.command_line},
      {"hardware",
       {{"cpu_model", report.environment.cpu_model},
        {"cores", report.environment.cores}}},
      {"server", report.server},
      {"model", ModelJson(report.model)},
      {"mix", KindsJson(report)},
      {"serial_capacity_per_second", has_solo ? Json(1 / mean) : Json(nullptr)},
      {"deadline_factor", report.solo.deadline_factor},
      {"aborted",
       report.aborted.empty() ? Json(nullptr) : Json(report.aborted)},
      {"lost", report.Lost()},
      {"hung", report.Hung()},
      {"scenarios", std::move(scenarios)}};
}

}  // namespace genzo
