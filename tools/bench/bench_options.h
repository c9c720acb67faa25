#ifndef GENZO_TOOLS_BENCH_BENCH_OPTIONS_H_
#define GENZO_TOOLS_BENCH_BENCH_OPTIONS_H_

#include <string>

#include "CLI/CLI.hpp"
#include "tools/bench/options.h"

namespace genzo {

// The whole command line.
struct BenchCommand {
  BenchOptions options;
  std::string admin;      // host:port of /metrics; empty: unknown
  std::string json_path;  // empty: none
  std::string plot_path;  // empty: none
};

// Adds every option but the scenarios' subcommands to `app`. `command`, which
// outlives it, is filled when `app` parses.
void AddOptions(CLI::App& app, BenchCommand& command);

}  // namespace genzo

#endif  // GENZO_TOOLS_BENCH_BENCH_OPTIONS_H_
