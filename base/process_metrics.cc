#include "base/process_metrics.h"

#include <sys/resource.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <system_error>

#include "absl/strings/numbers.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "prometheus/metric_family.h"

namespace genzo {
namespace {

using prometheus::MetricFamily;
using prometheus::MetricType;

std::string Contents(const char* path) {
  std::ifstream file(path);
  return std::string(std::istreambuf_iterator<char>(file), {});
}

MetricFamily Family(const char* name, const char* help, MetricType type,
                    double value) {
  MetricFamily family{name, help, type, {}};
  family.metric.emplace_back();
  (type == MetricType::Counter ? family.metric[0].counter.value
                               : family.metric[0].gauge.value) = value;
  return family;
}

double CpuSeconds() {
  rusage usage = {};
  getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](const timeval& time) {
    return static_cast<double>(time.tv_sec) +
           static_cast<double>(time.tv_usec) / 1e6;
  };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

// Field `index` of /proc/self/stat, counted from the one after the program's
// name, which may hold anything.
double StatField(const std::string& stat, size_t index) {
  const size_t name_end = stat.rfind(") ");
  if (name_end == std::string::npos) return 0;
  const std::vector<std::string> fields =
      absl::StrSplit(stat.substr(name_end + 2), ' ');
  double value = 0;
  if (index < fields.size()) (void)absl::SimpleAtod(fields[index], &value);
  return value;
}

// Unix time at which the machine started.
double BootTime() {
  for (absl::string_view line : absl::StrSplit(Contents("/proc/stat"), '\n')) {
    double seconds = 0;
    if (absl::ConsumePrefix(&line, "btime ") &&
        absl::SimpleAtod(line, &seconds)) {
      return seconds;
    }
  }
  return 0;
}

double OpenDescriptors() {
  std::error_code error;
  std::filesystem::directory_iterator folder("/proc/self/fd", error);
  if (error) return 0;
  const auto count = std::distance(begin(folder), end(folder));
  return static_cast<double>(count - 1);  // the look itself has one
}

double ResidentBytesIn(const std::string& stat) {
  return StatField(stat, 21) * static_cast<double>(sysconf(_SC_PAGESIZE));
}

}  // namespace

double ResidentBytes() { return ResidentBytesIn(Contents("/proc/self/stat")); }

std::vector<MetricFamily> ProcessMetrics::Collect() const {
  const std::string stat = Contents("/proc/self/stat");
  const double ticks = static_cast<double>(sysconf(_SC_CLK_TCK));
  rlimit descriptors = {};
  getrlimit(RLIMIT_NOFILE, &descriptors);
  return {Family("process_cpu_seconds_total", "CPU time that the process used.",
                 MetricType::Counter, CpuSeconds()),
          Family("process_resident_memory_bytes", "Memory of the process.",
                 MetricType::Gauge, ResidentBytesIn(stat)),
          Family("process_virtual_memory_bytes", "Addresses of the process.",
                 MetricType::Gauge, StatField(stat, 20)),
          Family("process_threads", "Threads of the process.",
                 MetricType::Gauge, StatField(stat, 17)),
          Family("process_open_fds", "Descriptors that are open.",
                 MetricType::Gauge, OpenDescriptors()),
          Family("process_max_fds", "Descriptors that may be open.",
                 MetricType::Gauge, static_cast<double>(descriptors.rlim_cur)),
          Family("process_start_time_seconds", "When the process started.",
                 MetricType::Gauge, BootTime() + StatField(stat, 19) / ticks)};
}

}  // namespace genzo
