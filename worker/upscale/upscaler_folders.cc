#include "worker/upscale/upscaler_folders.h"

#include <algorithm>
#include <filesystem>
#include <set>

#include "absl/strings/str_cat.h"
#include "base/logging.h"
#include "base/models_folder.h"

namespace genzo {
namespace {

namespace fs = std::filesystem;

void LeaveOut(const std::string& path, const std::string& why) {
  spdlog::warn("{} is left out: {}", path, why);
}

}  // namespace

UpscalerFolders::UpscalerFolders(std::vector<std::string> folders,
                                 UpscalerCatalog& catalog)
    : folders_("upscalers", std::move(folders),
               [](const fs::path& path) {
                 return HasEnding(path, {".safetensors", ".pth"});
               }),
      catalog_(catalog) {
  Look();
}

void UpscalerFolders::Add(const WatchedFolders::Entry& entry) {
  const std::string& path = entry.path;
  const auto source = OpenUpscalerFile(path);
  if (!source.ok()) {
    return LeaveOut(path, std::string(source.status().message()));
  }
  const auto traits = DescribeUpscaler(**source);
  if (!traits.ok()) {
    return LeaveOut(path, std::string(traits.status().message()));
  }
  v1::Upscaler upscaler;
  upscaler.set_name(IdOfName(fs::path(path).stem().string()));
  upscaler.set_scale(static_cast<uint32_t>(traits->scale));
  upscaler.set_architecture(traits->architecture);
  upscaler.set_weight_bytes(static_cast<uint64_t>(traits->weight_bytes));
  if (upscaler.name().empty() || !catalog_.Put({upscaler, path, entry.id()})) {
    return LeaveOut(path, absl::StrCat("its name \"", upscaler.name(),
                                       "\" is empty or taken"));
  }
  names_[path] = upscaler.name();
}

void UpscalerFolders::Remove(const std::string& path) {
  stamps_.erase(path);
  const auto name = names_.find(path);
  if (name == names_.end()) return;
  catalog_.Remove(name->second);
  names_.erase(name);
}

void UpscalerFolders::Look() {
  std::vector<WatchedFolders::Entry> found = folders_.Look();
  // Of two with one name, rather the one that is no pickle.
  std::stable_partition(found.begin(), found.end(), [](const auto& entry) {
    return HasEnding(fs::path(entry.path), {".safetensors"});
  });
  std::set<std::string> here;
  for (const WatchedFolders::Entry& entry : found) here.insert(entry.path);
  std::vector<std::string> gone;
  for (const auto& [path, name] : names_) {
    if (here.count(path) == 0) gone.push_back(path);
  }
  for (const std::string& path : gone) Remove(path);
  for (const WatchedFolders::Entry& entry : found) {
    // One that is left out for its name may have its turn.
    const bool waits = !gone.empty() && names_.count(entry.path) == 0;
    if (!waits && stamps_[entry.path] == entry.stamp) continue;
    Remove(entry.path);
    stamps_[entry.path] = entry.stamp;
    Add(entry);
  }
}

absl::StatusOr<LoadedUpscalers::Loaded> LoadedUpscalers::Get(
    const std::string& name) {
  const auto entry = catalog_.Get(name);
  if (!entry.ok()) return entry.status();
  Loaded loaded = {.upscaler = entry->upscaler, .network = nullptr};
  if (entry->path.empty()) return loaded;
  const auto known = std::find_if(
      networks_.begin(), networks_.end(),
      [&](const auto& network) { return network.first == entry->id; });
  if (known != networks_.end()) {
    networks_.splice(networks_.begin(), networks_, known);
  } else {
    if (networks_.size() == kMost) networks_.pop_back();
    auto network = LoadUpscaler(entry->path, device_);
    if (!network.ok()) return network.status();
    networks_.emplace_front(entry->id, *std::move(network));
  }
  loaded.network = networks_.front().second;
  return loaded;
}

}  // namespace genzo
