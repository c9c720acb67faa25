#include "tools/bench/environment.h"

#include <sched.h>

#include "absl/time/time.h"
#include "base/clock.h"
#include "base/processor.h"

namespace genzo {
namespace {

int Cores() {
  cpu_set_t set;
  return sched_getaffinity(0, sizeof(set), &set) == 0 ? CPU_COUNT(&set) : 0;
}

}  // namespace

Environment ThisEnvironment() {
  return {.date = absl::FormatTime("%Y-%m-%dT%H:%M:%SZ", Clock::Real().Now(),
                                   absl::UTCTimeZone()),
          .cpu_model = ProcessorName(),
          .cores = Cores()};
}

}  // namespace genzo
