// genzo-bench: loads a running server and tells what it stood.

#include <unistd.h>

#include <cstdlib>
#include <fstream>
#include <iostream>
#include <vector>

#include "CLI/CLI.hpp"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/standard_output.h"
#include "client/metrics_page.h"
#include "client/status_report.h"
#include "tools/bench/bench_options.h"
#include "tools/bench/plot.h"
#include "tools/bench/scenarios.h"
#include "tools/bench/table.h"

namespace genzo {
namespace {

void Complain(absl::string_view message) {
  std::cerr << "genzo-bench: " << message << std::endl;
}

ExitStatus ExitStatusFor(const absl::Status& status) {
  return ExitStatusOf(
      grpc::Status(static_cast<grpc::StatusCode>(status.code()), ""));
}

// A file that cannot be written is better known before the loads than after.
bool CanWrite(const std::string& path) {
  return path.empty() || std::ofstream(path, std::ios::app).good();
}

// What went down with the server in the scenario that ran.
std::string WhatWasLost(const ScenarioReport& scenario,
                        const std::string& server) {
  int cut = 0;
  int unsent = 0;
  for (const Point& point : scenario.points) {
    const auto gone = point.summary.outcomes.find("SERVER_GONE");
    if (gone != point.summary.outcomes.end()) cut += gone->second;
    unsent += point.summary.unsent;
  }
  return absl::StrCat("the server at ", server, " went away during ",
                      scenario.name, "; calls cut off: ", cut,
                      ", planned but never sent: ", unsent);
}

// Runs what was asked for until the server goes away.
void RunScenarios(const std::vector<const Scenario*>& scenarios,
                  Session& session, BenchReport& report) {
  for (const Scenario* scenario : scenarios) {
    report.scenarios.push_back(scenario->run(session));
    if (!session.server_gone()) continue;
    report.aborted =
        WhatWasLost(report.scenarios.back(), session.options().server);
    return;
  }
}

ExitStatus WriteFiles(const BenchCommand& command, const BenchReport& report) {
  ExitStatus exit_status = kExitOk;
  if (!command.json_path.empty()) {
    std::ofstream file(command.json_path, std::ios::trunc);
    file << ToJson(report).dump(2) << "\n";
    file.close();
    if (!file) {
      Complain(absl::StrCat(command.json_path, " cannot be written"));
      exit_status = kExitFailed;
    }
  }
  if (!command.plot_path.empty()) {
    const absl::Status plotted = WritePlot(report, command.plot_path);
    if (!plotted.ok()) {
      Complain(plotted.message());
      exit_status = kExitFailed;
    }
  }
  return exit_status;
}

ExitStatus Run(const BenchCommand& command, const std::string& command_line,
               const std::vector<const Scenario*>& scenarios) {
  if (!CanWrite(command.json_path)) {
    Complain(absl::StrCat(command.json_path, " cannot be written"));
    return kExitFailed;
  }
  const Clock& clock = Clock::Real();
  ProgressLine progress(std::cerr, isatty(STDERR_FILENO) == 1, clock);
  MetricsReader read_metrics;
  if (!command.admin.empty()) read_metrics = ReadMetricsFrom(command.admin);
  const auto session =
      Session::Create(command.options, read_metrics, progress, clock);
  if (!session.ok()) {
    Complain(session.status().message());
    return ExitStatusFor(session.status());
  }
  BenchReport report = {.environment = ThisEnvironment(),
                        .command_line = command_line,
                        .server = command.options.server,
                        .model = (*session)->model(),
                        .kinds = (*session)->mix().kinds(),
                        .solo = (*session)->solo()};
  RunScenarios(scenarios, **session, report);
  std::cout << Table(report) << std::flush;
  const ExitStatus written = WriteFiles(command, report);
  if (!report.aborted.empty()) {
    Complain(report.aborted);
    return kExitUnavailable;
  }
  return report.Lost() + report.Hung() > 0 ? kExitFailed : written;
}

int Main(int argc, char** argv) {
  setenv("GRPC_VERBOSITY", "NONE", /*overwrite=*/0);
  CLI::App app("Loads a running Genzo server and tells what it stood.",
               "genzo-bench");
  app.require_subcommand(1, 0);
  app.fallthrough();
  BenchCommand command;
  AddOptions(app, command);
  app.footer(
      "Measures first what a request of each kind takes alone; its inverse is "
      "the\nserial capacity. Nothing else should use the server.\n"
      "Exit status: 0 done; 1 calls were lost or hung, or a file cannot be "
      "written;\n2 wrong command line; 3 the server refuses the requests; 4 no "
      "server, or it\nwent away; 5 a deadline passed.");
  for (const Scenario& scenario : Scenarios()) {
    app.add_subcommand(scenario.name, scenario.help);
  }
  const CLI::App* all = app.add_subcommand("all", "every scenario");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? kExitOk : kExitUsage;
  }
  std::vector<const Scenario*> scenarios;
  for (const Scenario& scenario : Scenarios()) {
    if (all->parsed() || app.got_subcommand(scenario.name)) {
      scenarios.push_back(&scenario);
    }
  }
  return Run(command, absl::StrJoin(argv, argv + argc, " "), scenarios);
}

}  // namespace
}  // namespace genzo

int main(int argc, char** argv) {
  return genzo::EndOutput("genzo-bench", genzo::Main(argc, argv));
}
