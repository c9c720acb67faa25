#include "worker/residency/side_networks.h"

#include <algorithm>
#include <filesystem>
#include <set>
#include <system_error>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/logging.h"
#include "worker/device/free_memory.h"
#include "worker/pipeline/control_networks.h"
#include "worker/text/unicode_text.h"

namespace genzo {
namespace {

namespace fs = std::filesystem;

constexpr size_t kMaxMessageBytes = 500;
constexpr char kEnding[] = ".safetensors";

bool IsFile(const fs::path& path) {
  std::error_code ignored;
  return HasEnding(path, {kEnding}) && !fs::is_directory(path, ignored);
}

bool IsFolderOrFile(const fs::path& path) {
  std::error_code ignored;
  return fs::exists(path / "config.json", ignored) || IsFile(path);
}

std::string NameOf(const fs::path& path) {
  return path.extension() == kEnding ? path.stem().string()
                                     : path.filename().string();
}

// A fault of the file is not the caller's.
absl::Status Unloadable(const std::string& name, const absl::Status& status) {
  if (absl::IsResourceExhausted(status)) return status;
  return absl::FailedPreconditionError(absl::StrCat(
      "\"", name, "\" could not be loaded: ",
      PrintableText(std::string(status.message()), kMaxMessageBytes)));
}

template <typename Shelf>
std::vector<std::string> NamesFor(const Shelf& shelf, const std::string& fit) {
  std::vector<std::string> names;
  for (const auto& [name, known] : shelf) {
    if (!fit.empty() && known.fit == fit) names.push_back(name);
  }
  return names;
}

}  // namespace

SideNetworks::SideNetworks(Folders folders, const Placement& placement,
                           SpareMemory memory)
    : control_folders_("control networks", std::move(folders.controls),
                       IsFolderOrFile),
      adapter_folders_("image prompt adapters", std::move(folders.adapters),
                       IsFile),
      placement_(placement),
      memory_(std::move(memory)) {
  Look();
}

void SideNetworks::Say(const std::string& path, const std::string& what) {
  std::string& said = said_[path];
  if (said == what) return;
  said = what;
  spdlog::warn("{} is left out: {}", path,
               PrintableText(what, kMaxMessageBytes));
}

template <typename FitAt>
SideNetworks::Shelf SideNetworks::Scan(WatchedFolders& folders,
                                       const FitAt& fit_at,
                                       const Shelf& before) {
  Shelf shelf;
  for (const WatchedFolders::Entry& entry : folders.Look()) {
    const std::string name = NameOf(entry.path);
    const auto old = before.find(name);
    if (shelf.count(name) > 0) {
      Say(entry.path, absl::StrCat("the name \"", name, "\" is that of ",
                                   shelf.at(name).path));
    } else if (old != before.end() && old->second.id == entry.id()) {
      shelf.insert(*old);
    } else if (PrintableText(name, kMaxMessageBytes) != name) {
      // Names are quoted in answers, which are UTF-8.
      Say(entry.path, "its name cannot be printed");
    } else if (auto fit = fit_at(entry.path); fit.ok()) {
      said_.erase(entry.path);
      shelf[name] = {entry.path, *std::move(fit), entry.id()};
    } else {
      Say(entry.path, std::string(fit.status().message()));
    }
  }
  return shelf;
}

bool SideNetworks::Look() {
  Shelf controls;
  Shelf adapters;
  {
    absl::MutexLock lock(&mutex_);
    controls = controls_;
    adapters = adapters_;
  }
  Shelf controls_now = Scan(control_folders_, ControlFitAt, controls);
  Shelf adapters_now = Scan(adapter_folders_, IpAdapter::FitAt, adapters);
  const auto same = [](const Shelf& a, const Shelf& b) {
    return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                      [](const auto& one, const auto& other) {
                        return one.first == other.first &&
                               one.second.id == other.second.id;
                      });
  };
  if (same(controls, controls_now) && same(adapters, adapters_now)) {
    return false;
  }
  std::set<std::string> ids;
  for (const Shelf* shelf : {&controls_now, &adapters_now}) {
    for (const auto& [name, known] : *shelf) ids.insert(known.id);
  }
  {
    absl::MutexLock lock(&mutex_);
    controls_ = std::move(controls_now);
    adapters_ = std::move(adapters_now);
  }
  DropIf([&](const std::string& id, const Resident&) {
    return ids.count(id) == 0;
  });
  return true;
}

std::vector<std::string> SideNetworks::ControlsFor(
    const std::string& fit) const {
  absl::MutexLock lock(&mutex_);
  return NamesFor(controls_, fit);
}

std::vector<std::string> SideNetworks::AdaptersFor(
    const std::string& fit) const {
  absl::MutexLock lock(&mutex_);
  return NamesFor(adapters_, fit);
}

absl::StatusOr<std::shared_ptr<const ControlNetwork>> SideNetworks::Control(
    const std::string& name, const std::string& fit) {
  return Get<ControlNetwork>(
      &SideNetworks::controls_, name, fit,
      [this](const std::string& path) {
        return ControlBytes(path, placement_);
      },
      [this](const std::string& path) {
        return LoadControl(path, placement_);
      });
}

absl::StatusOr<std::shared_ptr<const IpAdapter>> SideNetworks::Adapter(
    const std::string& name, const std::string& fit) {
  return Get<IpAdapter>(
      &SideNetworks::adapters_, name, fit,
      [this](const std::string& path) {
        return IpAdapter::BytesAt(path, placement_);
      },
      [this](const std::string& path) {
        return IpAdapter::Load(path, placement_);
      });
}

absl::StatusOr<SideNetworks::Known> SideNetworks::Find(
    Shelf SideNetworks::*shelf, const std::string& name,
    const std::string& fit) const {
  absl::MutexLock lock(&mutex_);
  const auto entry = (this->*shelf).find(name);
  if (entry == (this->*shelf).end()) {
    return absl::NotFoundError(absl::StrCat(
        "there is no \"", name, "\"; those that fit this model are: ",
        absl::StrJoin(NamesFor(this->*shelf, fit), ", ")));
  }
  if (entry->second.fit == fit) return entry->second;
  return absl::InvalidArgumentError(
      absl::StrCat("\"", name, "\" is for another family: for a ",
                   entry->second.fit, ", not for a ", fit));
}

std::shared_ptr<const void> SideNetworks::InMemory(const std::string& id) {
  const int64_t use = memory_.next_use();
  absl::MutexLock lock(&mutex_);
  const auto found = residents_.find(id);
  if (found == residents_.end()) return nullptr;
  found->second.last_used = use;
  return found->second.network;
}

template <typename Network, typename Bytes, typename Load>
absl::StatusOr<std::shared_ptr<const Network>> SideNetworks::Get(
    Shelf SideNetworks::*shelf, const std::string& name, const std::string& fit,
    const Bytes& bytes, const Load& load) {
  const absl::StatusOr<Known> known = Find(shelf, name, fit);
  if (!known.ok()) return known.status();
  if (const auto resident = InMemory(known->id)) {
    return std::static_pointer_cast<const Network>(resident);
  }
  const absl::StatusOr<int64_t> size = bytes(known->path);
  if (!size.ok()) return Unloadable(name, size.status());
  const absl::Status reserved = memory_.reserve(*size);
  if (!reserved.ok()) return reserved;
  absl::StatusOr<std::shared_ptr<const Network>> network = load(known->path);
  if (!network.ok()) {
    memory_.release(*size);
    return Unloadable(name, network.status());
  }
  spdlog::info("{} loaded, {:.1f} MB of weights", name,
               static_cast<double>(*size) / 1e6);
  const int64_t use = memory_.next_use();
  absl::MutexLock lock(&mutex_);
  residents_[known->id] = {
      .network = *network, .bytes = *size, .last_used = use};
  return *std::move(network);
}

std::vector<IdleBeside> SideNetworks::Idle() const {
  absl::MutexLock lock(&mutex_);
  std::vector<IdleBeside> idle;
  for (const auto& [id, resident] : residents_) {
    if (resident.network.use_count() > 1) continue;
    idle.push_back({.bytes = resident.bytes, .last_used = resident.last_used});
  }
  return idle;
}

template <typename Unwanted>
void SideNetworks::DropIf(const Unwanted& unwanted) {
  Residents dropped;
  {
    absl::MutexLock lock(&mutex_);
    for (auto at = residents_.begin(); at != residents_.end();) {
      const auto next = std::next(at);
      if (at->second.network.use_count() == 1 &&
          unwanted(at->first, at->second)) {
        dropped.insert(residents_.extract(at));
      }
      at = next;
    }
  }
  if (dropped.empty()) return;
  int64_t bytes = 0;
  for (const auto& [id, resident] : dropped) bytes += resident.bytes;
  spdlog::info("{} networks beside models leave memory, {:.1f} MB",
               dropped.size(), static_cast<double>(bytes) / 1e6);
  dropped.clear();
  ReturnFreeMemory(placement_.device);
  memory_.release(bytes);
}

void SideNetworks::Drop(const std::vector<int64_t>& uses) {
  DropIf([&](const std::string&, const Resident& resident) {
    return std::count(uses.begin(), uses.end(), resident.last_used) > 0;
  });
}

}  // namespace genzo
