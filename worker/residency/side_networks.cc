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

// What lies in a folder and may be a network, in the order of names.
std::set<fs::path> Candidates(const std::string& folder, bool folders_too) {
  std::error_code error;
  std::set<fs::path> found;
  for (fs::directory_iterator entry(folder, error), end; !error && entry != end;
       entry.increment(error)) {
    const fs::path& path = entry->path();
    std::error_code ignored;
    if (fs::is_directory(path, ignored)
            ? folders_too && fs::exists(path / "config.json", ignored)
            : path.extension() == kEnding) {
      found.insert(path);
    }
  }
  if (error) spdlog::warn("folder {}: {}", folder, error.message());
  return found;
}

// Calls put(name, path, fit) for each network in `folders`.
template <typename FitAt, typename Put>
void Scan(const std::vector<std::string>& folders, bool folders_too,
          const FitAt& fit_at, const Put& put) {
  for (const std::string& folder : folders) {
    for (const fs::path& path : Candidates(folder, folders_too)) {
      const std::string name = path.extension() == kEnding
                                   ? path.stem().string()
                                   : path.filename().string();
      // Names are quoted in answers, which are UTF-8.
      const bool printable = PrintableText(name, kMaxMessageBytes) == name;
      const absl::StatusOr<std::string> fit =
          printable ? fit_at(path.string())
                    : absl::InvalidArgumentError(absl::StrCat(
                          path.string(), ": its name cannot be printed"));
      if (fit.ok()) {
        put(name, path.string(), *fit);
      } else {
        spdlog::warn("left out of {}: {}", folder,
                     PrintableText(std::string(fit.status().message()),
                                   kMaxMessageBytes));
      }
    }
  }
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

SideNetworks::SideNetworks(const Folders& folders, const Placement& placement,
                           SpareMemory memory)
    : placement_(placement), memory_(std::move(memory)) {
  const auto into = [](Shelf& shelf) {
    return [&shelf](const std::string& name, const std::string& path,
                    const std::string& fit) {
      if (shelf.try_emplace(name, Known{path, fit}).second) return;
      spdlog::warn("{} is left out: the name \"{}\" is that of {}", path, name,
                   shelf.at(name).path);
    };
  };
  Scan(folders.controls, /*folders_too=*/true, ControlFitAt, into(controls_));
  Scan(folders.adapters, /*folders_too=*/false, IpAdapter::FitAt,
       into(adapters_));
}

std::vector<std::string> SideNetworks::ControlsFor(
    const std::string& fit) const {
  return NamesFor(controls_, fit);
}

std::vector<std::string> SideNetworks::AdaptersFor(
    const std::string& fit) const {
  return NamesFor(adapters_, fit);
}

absl::StatusOr<std::shared_ptr<const ControlNetwork>> SideNetworks::Control(
    const std::string& name, const std::string& fit) {
  return Get<ControlNetwork>(
      controls_, name, fit,
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
      adapters_, name, fit,
      [this](const std::string& path) {
        return IpAdapter::BytesAt(path, placement_);
      },
      [this](const std::string& path) {
        return IpAdapter::Load(path, placement_);
      });
}

std::shared_ptr<const void> SideNetworks::Find(const Known* known) {
  absl::MutexLock lock(&mutex_);
  const auto found = residents_.find(known);
  if (found == residents_.end()) return nullptr;
  found->second.last_used = ++uses_;
  return found->second.network;
}

template <typename Network, typename Bytes, typename Load>
absl::StatusOr<std::shared_ptr<const Network>> SideNetworks::Get(
    const Shelf& shelf, const std::string& name, const std::string& fit,
    const Bytes& bytes, const Load& load) {
  const auto entry = shelf.find(name);
  if (entry == shelf.end()) {
    return absl::NotFoundError(absl::StrCat(
        "there is no \"", name, "\"; those that fit this model are: ",
        absl::StrJoin(NamesFor(shelf, fit), ", ")));
  }
  const Known& known = entry->second;
  if (known.fit != fit) {
    return absl::InvalidArgumentError(
        absl::StrCat("\"", name, "\" is for another family: for a ", known.fit,
                     ", not for a ", fit));
  }
  if (const auto resident = Find(&known)) {
    return std::static_pointer_cast<const Network>(resident);
  }
  const absl::StatusOr<int64_t> size = bytes(known.path);
  if (!size.ok()) return Unloadable(name, size.status());
  const absl::Status reserved = Reserve(*size);
  if (!reserved.ok()) return reserved;
  absl::StatusOr<std::shared_ptr<const Network>> network = load(known.path);
  if (!network.ok()) {
    memory_.release(*size);
    return Unloadable(name, network.status());
  }
  spdlog::info("{} loaded, {:.1f} MB of weights", name,
               static_cast<double>(*size) / 1e6);
  absl::MutexLock lock(&mutex_);
  residents_[&known] = {
      .network = *network, .bytes = *size, .last_used = ++uses_};
  return *std::move(network);
}

absl::Status SideNetworks::Reserve(int64_t bytes) {
  while (true) {
    const absl::Status reserved = memory_.reserve(bytes, /*evicting=*/false);
    if (reserved.ok()) return reserved;
    if (!DropOldest()) return memory_.reserve(bytes, /*evicting=*/true);
  }
}

bool SideNetworks::DropOldest() {
  Resident dropped;
  {
    absl::MutexLock lock(&mutex_);
    auto oldest = residents_.end();
    for (auto it = residents_.begin(); it != residents_.end(); ++it) {
      if (it->second.network.use_count() > 1) continue;
      if (oldest == residents_.end() ||
          it->second.last_used < oldest->second.last_used) {
        oldest = it;
      }
    }
    if (oldest == residents_.end()) return false;
    spdlog::info("{} leaves memory", oldest->first->path);
    dropped = std::move(oldest->second);
    residents_.erase(oldest);
  }
  dropped.network.reset();
  ReturnFreeMemory(placement_.device);
  memory_.release(dropped.bytes);
  return true;
}

void SideNetworks::DropIdle() {
  while (DropOldest()) {
  }
}

}  // namespace genzo
