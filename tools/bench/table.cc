#include "tools/bench/table.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"

namespace genzo {
namespace {

std::string Number(double value) { return absl::StrFormat("%.2f", value); }

std::string Cell(const std::optional<Spread>& spread, double Spread::*value) {
  return spread.has_value() ? Number((*spread).*value) : "-";
}

// Headings stand over what Row() fills in.
std::string Heading(int label_width) {
  return absl::StrFormat("%-*s %5s %5s %7s %7s %6s %6s %6s %6s %7s %6s %6s\n",
                         label_width, "", "calls", "ok", "pict/s", "good/s",
                         "p50 s", "p90 s", "p99 s", "step s", "prev. s", "slow",
                         "p99");
}

std::string Row(int label_width, const Point& point) {
  const Summary& s = point.summary;
  return absl::StrFormat(
      "%-*s %5d %5d %7.2f %7.2f %6s %6s %6s %6s %7s %6s %6s\n", label_width,
      point.label, s.calls, s.succeeded, s.pictures_per_second,
      s.goodput_per_second, Cell(s.total, &Spread::p50),
      Cell(s.total, &Spread::p90), Cell(s.total, &Spread::p99),
      Cell(s.first_step, &Spread::p50), Cell(s.first_preview, &Spread::p50),
      Cell(s.slowdown, &Spread::p50), Cell(s.slowdown, &Spread::p99));
}

// "8 x 2 rows, 40 x 4 rows"
std::string Rows(const Summary& summary) {
  return absl::StrJoin(summary.batch_rows, ", ",
                       [](std::string* out, const auto& entry) {
                         absl::StrAppend(out, entry.second, " x ", entry.first);
                       });
}

// What the table has no column for, a line each; empty if there is nothing.
std::string Remarks(const Point& point) {
  const Summary& s = point.summary;
  std::string text;
  if (s.succeeded != s.calls || s.unsent > 0) {
    absl::StrAppend(&text, "  ", point.label, ": ",
                    absl::StrJoin(s.outcomes, ", ", absl::PairFormatter(" ")),
                    s.unsent > 0 ? absl::StrCat(", never sent ", s.unsent) : "",
                    "\n");
  }
  if (!s.batch_rows.empty()) {
    absl::StrAppend(&text, "  ", point.label, ": steps x rows ", Rows(s), "\n");
  }
  for (const auto& [name, error] :
       {std::pair("while queued", s.queued_prediction_error),
        std::pair("at the first step", s.step_prediction_error)}) {
    if (!error.has_value()) continue;
    absl::StrAppendFormat(
        &text, "  %s: finish predicted %s, error %.0f %% median, %.0f %% p90\n",
        point.label, name, error->p50 * 100, error->p90 * 100);
  }
  return text;
}

std::string ScenarioTable(const ScenarioReport& scenario) {
  size_t width = 12;
  for (const Point& point : scenario.points) {
    width = std::max(width, point.label.size());
  }
  const int label_width = static_cast<int>(width);
  std::string text = absl::StrCat(scenario.name, "\n", Heading(label_width));
  for (const Point& point : scenario.points) {
    text += Row(label_width, point);
  }
  for (const Point& point : scenario.points) text += Remarks(point);
  for (const auto& [name, value] : scenario.findings.items()) {
    absl::StrAppend(
        &text, "  ", name, ": ",
        value.is_number_float() ? Number(value.get<double>()) : value.dump(),
        "\n");
  }
  return text;
}

}  // namespace

std::string Table(const BenchReport& report) {
  std::string text =
      absl::StrFormat("%s on %s, %d cores, %s\n", report.model.id(),
                      report.environment.cpu_model, report.environment.cores,
                      report.environment.date);
  for (size_t i = 0; i < report.solo.by_kind.size(); ++i) {
    absl::StrAppendFormat(&text, "  alone %.3f s: %s\n",
                          absl::ToDoubleSeconds(report.solo.by_kind[i]),
                          report.kinds[i].name);
  }
  for (const ScenarioReport& scenario : report.scenarios) {
    absl::StrAppend(&text, "\n", ScenarioTable(scenario));
  }
  absl::StrAppend(&text, "\nlost ", report.Lost(), ", hung ", report.Hung(),
                  "\n");
  if (!report.aborted.empty()) {
    absl::StrAppend(&text, "ended early: ", report.aborted, "\n");
  }
  return text;
}

}  // namespace genzo
