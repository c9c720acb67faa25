#include "worker/threads/cgroup.h"

#include <algorithm>
#include <fstream>
#include <functional>
#include <string>
#include <vector>

#include "absl/algorithm/container.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_split.h"

namespace genzo {
namespace {

using std::filesystem::path;

std::string FirstLine(const path& file) {
  std::ifstream in(file);
  std::string line;
  std::getline(in, line);
  return line;
}

std::optional<int64_t> NumberIn(const path& file) {
  int64_t number = 0;
  if (!absl::SimpleAtoi(FirstLine(file), &number)) return std::nullopt;
  return number;
}

// Where a controller ("cpu", "memory"; "" for version 2) keeps the groups, and
// which of them this process is in.
struct Place {
  path mount;
  path group;
};

std::vector<Place> PlacesOf(const std::string& controller,
                            const path& membership, const path& root) {
  std::vector<Place> places;
  std::ifstream in(membership);
  for (std::string line; std::getline(in, line);) {
    // ID:CONTROLLER,CONTROLLER:/GROUP
    const std::vector<std::string> parts =
        absl::StrSplit(line, absl::MaxSplits(':', 2));
    if (parts.size() < 3) continue;
    const std::vector<std::string> names = absl::StrSplit(parts[1], ',');
    if (!absl::c_linear_search(names, controller)) continue;
    const path group = path(parts[2]).relative_path();
    if (!controller.empty()) {
      places.push_back({root / controller, group});
      places.push_back({root / parts[1], group});
    } else {
      places.push_back({root, group});
      places.push_back({root / "unified", group});  // beside version 1
    }
  }
  return places;
}

// The smallest of what `read` finds in the process's group and those around
// it. A container may not see the group's own folder, only the mount.
template <typename Number>
std::optional<Number> Tightest(
    const std::vector<Place>& places,
    const std::function<std::optional<Number>(const path& folder)>& read) {
  std::optional<Number> tightest;
  for (const Place& place : places) {
    path group = place.group;
    for (;; group = group.parent_path()) {
      const std::optional<Number> here = read(place.mount / group);
      if (here.has_value()) {
        tightest = std::min(tightest.value_or(*here), *here);
      }
      if (group.empty()) break;
    }
  }
  return tightest;
}

std::optional<double> Share(std::optional<int64_t> quota,
                            std::optional<int64_t> period) {
  if (!quota.has_value() || !period.has_value()) return std::nullopt;
  if (*quota <= 0 || *period <= 0) return std::nullopt;
  return static_cast<double>(*quota) / static_cast<double>(*period);
}

std::optional<double> CoresOfV1(const path& folder) {
  return Share(NumberIn(folder / "cpu.cfs_quota_us"),
               NumberIn(folder / "cpu.cfs_period_us"));
}

// "150000 100000" or "max 100000".
std::optional<double> CoresOfV2(const path& folder) {
  const std::vector<std::string> parts =
      absl::StrSplit(FirstLine(folder / "cpu.max"), ' ');
  int64_t quota = 0, period = 0;
  if (parts.size() != 2 || !absl::SimpleAtoi(parts[0], &quota) ||
      !absl::SimpleAtoi(parts[1], &period)) {
    return std::nullopt;
  }
  return Share(quota, period);
}

template <typename Number>
std::optional<Number> Smaller(std::optional<Number> a,
                              std::optional<Number> b) {
  if (a.has_value() && b.has_value()) return std::min(*a, *b);
  return a.has_value() ? a : b;
}

}  // namespace

std::optional<double> Cgroup::cores() const {
  return Smaller(
      Tightest<double>(PlacesOf("cpu", membership_, root_), CoresOfV1),
      Tightest<double>(PlacesOf("", membership_, root_), CoresOfV2));
}

std::optional<int64_t> Cgroup::memory_bytes() const {
  // Version 1 says "no limit" as a number near the largest there is; whoever
  // asks compares with the memory there is.
  return Smaller(
      Tightest<int64_t>(PlacesOf("memory", membership_, root_),
                        [](const path& folder) {
                          return NumberIn(folder / "memory.limit_in_bytes");
                        }),
      Tightest<int64_t>(
          PlacesOf("", membership_, root_),
          [](const path& folder) { return NumberIn(folder / "memory.max"); }));
}

}  // namespace genzo
