#ifndef GENZO_TOOLS_BENCH_PLOT_H_
#define GENZO_TOOLS_BENCH_PLOT_H_

#include <string>

#include "absl/status/status.h"
#include "tools/bench/report.h"

namespace genzo {

// Text of a gnuplot data file: a block a scenario that has an axis and two
// points on it, a line a point: x, p50, p90, p99, pictures/s, goodput/s.
std::string PlotData(const BenchReport& report);

// A gnuplot script that draws `data_path`'s blocks into `png_path`: a row a
// scenario, latency on the left and throughput on the right.
std::string PlotScript(const BenchReport& report, const std::string& data_path,
                       const std::string& png_path);

// Writes `png_path` with ".dat" and ".gp" in place of its extension, and the
// picture itself by running gnuplot. FAILED_PRECONDITION if no scenario has an
// axis, NOT_FOUND without gnuplot, else UNAVAILABLE.
absl::Status WritePlot(const BenchReport& report, const std::string& png_path);

}  // namespace genzo

#endif  // GENZO_TOOLS_BENCH_PLOT_H_
