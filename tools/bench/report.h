#ifndef GENZO_TOOLS_BENCH_REPORT_H_
#define GENZO_TOOLS_BENCH_REPORT_H_

#include <optional>
#include <string>
#include <vector>

#include "genzo/v1/model_registry.pb.h"
#include "nlohmann/json.hpp"
#include "tools/bench/environment.h"
#include "tools/bench/request_mix.h"
#include "tools/bench/summary.h"

// What the bench found out, and its JSON. Pure.

namespace genzo {

using Json = nlohmann::ordered_json;

// One load of a scenario.
struct Point {
  std::string label;
  std::optional<double> x;  // on the scenario's axis
  Summary summary = {};
};

// One scenario's loads, and what follows from them together.
struct ScenarioReport {
  std::string name;
  std::string axis = {};  // what x counts, "clients"; empty: no axis
  std::vector<Point> points = {};
  Json findings = Json::object();
};

// Everything.
struct BenchReport {
  Environment environment = {};
  std::string command_line = {};
  std::string server = {};
  v1::Model model = {};
  std::vector<RequestKind> kinds = {};
  SoloTimes solo = {};
  std::vector<ScenarioReport> scenarios = {};
  std::string aborted = {};  // why it ended early; empty if it did not

  // Over all points.
  int Lost() const;
  int Hung() const;
};

// To four decimals, for findings that people read.
double Rounded(double value);

// A number, or null if there is none.
Json OrNull(const std::optional<double>& value);

Json ToJson(const Summary& summary);
Json ToJson(const BenchReport& report);

}  // namespace genzo

#endif  // GENZO_TOOLS_BENCH_REPORT_H_
