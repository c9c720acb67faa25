#ifndef GENZO_WORKER_THREADS_CGROUP_H_
#define GENZO_WORKER_THREADS_CGROUP_H_

#include <cstdint>
#include <filesystem>
#include <optional>

namespace genzo {

// What a container may use. Linux control groups, version 1 and 2, the
// process's own and those around it, of which the tightest counts. What cannot
// be read does not limit.
class Cgroup {
 public:
  // Of this process.
  Cgroup() : Cgroup("/proc/self/cgroup", "/sys/fs/cgroup") {}
  // `membership` is a file like /proc/self/cgroup, `root` where the groups are.
  Cgroup(std::filesystem::path membership, std::filesystem::path root)
      : membership_(std::move(membership)), root_(std::move(root)) {}

  // Processor time a second: 1.5 for a quota of one and a half cores. nullopt:
  // no limit.
  std::optional<double> cores() const;
  std::optional<int64_t> memory_bytes() const;

 private:
  const std::filesystem::path membership_;
  const std::filesystem::path root_;
};

}  // namespace genzo

#endif  // GENZO_WORKER_THREADS_CGROUP_H_
