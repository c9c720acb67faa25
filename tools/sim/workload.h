#ifndef GENZO_TOOLS_SIM_WORKLOAD_H_
#define GENZO_TOOLS_SIM_WORKLOAD_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "queue/job_demand.h"

namespace genzo {

// What arrives: a recipe for requests.
struct WorkloadOptions {
  int requests = 10'000;
  double rate = 1;  // mean arrivals a second, without the flood
  // Arrivals come `burst` times as fast in one part of every cycle and not at
  // all in the rest; 1: Poisson throughout.
  double burst = 1;
  absl::Duration burst_cycle = absl::Seconds(20);
  int tenants = 4;
  // One more tenant sends this many times what one of the others does.
  double flood = 0;
  // Share of requests that name a deadline, and that deadline in times the
  // request takes alone. The others are measured against the same.
  double with_deadline = 1;
  double deadline_factor = 5;
  double cancelled = 0;  // share, at a random point of its time alone
  bool mixed = true;     // sizes, steps and guidance; else all the same
  int models = 1;        // popularity falls as 1, 1/2, 1/3, ...
  int64_t own_pixels = 128 * 128;
  uint64_t seed = 1;
};

// One request on its way.
struct SimRequest {
  std::string id;
  JobDemand demand;  // `accepted` is its arrival
  // What counts as in time, from arrival, for goodput; the deadline that the
  // scheduler knows is in `demand`.
  double deadline_factor = 0;
  bool has_deadline = false;
  double cancel_after = 0;  // of its time alone; 0: never
};

// The requests in order of arrival, the first after `begin`. The same options
// give the same requests. Deadlines are left to whoever knows speeds.
std::vector<SimRequest> MakeWorkload(const WorkloadOptions& options,
                                     absl::Time begin);

}  // namespace genzo

#endif  // GENZO_TOOLS_SIM_WORKLOAD_H_
