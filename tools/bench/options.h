#ifndef GENZO_TOOLS_BENCH_OPTIONS_H_
#define GENZO_TOOLS_BENCH_OPTIONS_H_

#include <string>
#include <vector>

#include "absl/time/time.h"
#include "tools/bench/load_plan.h"
#include "tools/bench/request_mix.h"

namespace genzo {

// What the command line asks for.
struct BenchOptions {
  std::string server = "localhost:50051";
  std::string model;  // empty: the server's default
  MixOptions mix;
  // Of every load.
  Horizon horizon = {.duration = absl::Seconds(60), .requests = 0};
  absl::Duration grace = absl::Seconds(60);  // of silence; then calls hang
  int solo_repeats = 3;        // of each kind, after one that does not count
  double deadline_factor = 5;  // of a kind's solo time
  std::vector<int> clients = {1, 2, 4, 8, 16, 32};  // closed
  std::vector<double> loads = {0.2, 0.4, 0.6, 0.8,
                               0.9, 1,   1.2, 1.5};  // poisson
  std::vector<double> overload_loads = {0.5, 0.75, 1, 1.25, 1.5};
  double burst_load = 0.7;
  int concurrency = 8;  // clients of cancel and previews, size of identical
  int tenants = 3;      // light ones, of flood
  double tenant_load = 0.15;  // of one of them; the flooder has eight times it
};

}  // namespace genzo

#endif  // GENZO_TOOLS_BENCH_OPTIONS_H_
