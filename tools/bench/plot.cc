#include "tools/bench/plot.h"

#include <spawn.h>
#include <sys/wait.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_replace.h"

extern char** environ;

namespace genzo {
namespace {

constexpr int kWidthPixels = 1200;
constexpr int kRowHeightPixels = 450;
constexpr int kNoSuchProgram = 127;  // how posix_spawnp's child may say so

std::vector<const ScenarioReport*> Plotted(const BenchReport& report) {
  std::vector<const ScenarioReport*> plotted;
  for (const ScenarioReport& scenario : report.scenarios) {
    int points = 0;
    for (const Point& point : scenario.points) points += point.x ? 1 : 0;
    if (points >= 2) plotted.push_back(&scenario);
  }
  return plotted;
}

// gnuplot doubles a quote within single quotes.
std::string Quoted(const std::string& text) {
  return absl::StrCat("'", absl::StrReplaceAll(text, {{"'", "''"}}), "'");
}

std::string ValueOrNan(const std::optional<Spread>& spread,
                       double Spread::*value) {
  return spread.has_value() ? absl::StrCat((*spread).*value) : "NaN";
}

absl::Status Write(const std::string& path, const std::string& text) {
  std::ofstream file(path, std::ios::trunc);
  file << text;
  file.close();
  if (file) return absl::OkStatus();
  return absl::UnavailableError(absl::StrCat(path, " cannot be written"));
}

absl::Status RunGnuplot(const std::string& script_path) {
  std::string program = "gnuplot";
  std::string argument = script_path;
  char* arguments[] = {program.data(), argument.data(), nullptr};
  pid_t child = 0;
  const int error = posix_spawnp(&child, program.c_str(), nullptr, nullptr,
                                 arguments, environ);
  int status = 0;
  if (error == 0) {
    while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
    }
  }
  if (error == ENOENT ||
      (WIFEXITED(status) && WEXITSTATUS(status) == kNoSuchProgram)) {
    return absl::NotFoundError(absl::StrCat(
        "no plot: gnuplot is not installed (Debian: gnuplot-nox); afterwards "
        "`gnuplot ",
        script_path, "` draws it"));
  }
  if (error != 0) {
    return absl::UnavailableError(
        absl::StrCat("no plot: gnuplot cannot be run: ", strerror(error)));
  }
  if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
    return absl::UnavailableError(
        absl::StrCat("no plot: gnuplot failed on ", script_path));
  }
  return absl::OkStatus();
}

}  // namespace

std::string PlotData(const BenchReport& report) {
  std::string text = "# x p50 p90 p99 pictures/s goodput/s\n";
  for (const ScenarioReport* scenario : Plotted(report)) {
    absl::StrAppend(&text, "# ", scenario->name, ", x: ", scenario->axis, "\n");
    for (const Point& point : scenario->points) {
      if (!point.x.has_value()) continue;
      const Summary& s = point.summary;
      absl::StrAppend(&text, *point.x, " ", ValueOrNan(s.total, &Spread::p50),
                      " ", ValueOrNan(s.total, &Spread::p90), " ",
                      ValueOrNan(s.total, &Spread::p99), " ",
                      s.pictures_per_second, " ", s.goodput_per_second, "\n");
    }
    text += "\n\n";  // the next block
  }
  return text;
}

std::string PlotScript(const BenchReport& report, const std::string& data_path,
                       const std::string& png_path) {
  const auto plotted = Plotted(report);
  const int rows = static_cast<int>(plotted.size());
  std::string text = absl::StrFormat(
      "set terminal pngcairo size %d,%d\n"
      "set output %s\n"
      "set multiplot layout %d,2\n"
      "set grid\nset key top left\nset yrange [0:*]\n"
      "set style data linespoints\n",
      kWidthPixels, rows * kRowHeightPixels, Quoted(png_path), rows);
  const std::string data = Quoted(data_path);
  for (int i = 0; i < rows; ++i) {
    const ScenarioReport& scenario = *plotted[i];
    absl::StrAppendFormat(&text,
                          "set xlabel %1$s\n"
                          "set title %2$s\nset ylabel 'seconds'\n"
                          "plot %3$s index %4$d using 1:2 title 'p50', "
                          "'' index %4$d using 1:3 title 'p90', "
                          "'' index %4$d using 1:4 title 'p99'\n"
                          "set title %5$s\nset ylabel 'pictures per second'\n"
                          "plot %3$s index %4$d using 1:5 title 'all', "
                          "'' index %4$d using 1:6 title 'in time'\n",
                          Quoted(scenario.axis),
                          Quoted(scenario.name + ": latency"), data, i,
                          Quoted(scenario.name + ": throughput"));
  }
  return text + "unset multiplot\n";
}

absl::Status WritePlot(const BenchReport& report, const std::string& png_path) {
  if (Plotted(report).empty()) {
    return absl::FailedPreconditionError(
        "no plot: no scenario ran loads along an axis");
  }
  std::filesystem::path path(png_path);
  const std::string data_path = path.replace_extension(".dat");
  const std::string script_path = path.replace_extension(".gp");
  absl::Status status = Write(data_path, PlotData(report));
  status.Update(Write(script_path, PlotScript(report, data_path, png_path)));
  if (!status.ok()) return status;
  return RunGnuplot(script_path);
}

}  // namespace genzo
