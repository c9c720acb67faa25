#include "bench/environment.h"

#include <sched.h>

#include <fstream>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/time/time.h"
#include "base/clock.h"

namespace genzo {
namespace {

std::string CpuModel() {
  std::ifstream file("/proc/cpuinfo");
  std::string line;
  while (std::getline(file, line)) {
    const size_t colon = line.find(':');
    if (absl::StartsWith(line, "model name") && colon != std::string::npos) {
      return std::string(absl::StripAsciiWhitespace(line.substr(colon + 1)));
    }
  }
  return "unknown";
}

int Cores() {
  cpu_set_t set;
  return sched_getaffinity(0, sizeof(set), &set) == 0 ? CPU_COUNT(&set) : 0;
}

}  // namespace

Environment ThisEnvironment() {
  return {.date = absl::FormatTime("%Y-%m-%dT%H:%M:%SZ", Clock::Real().Now(),
                                   absl::UTCTimeZone()),
          .cpu_model = CpuModel(),
          .cores = Cores()};
}

}  // namespace genzo
