#include "worker/upscale/upscaler_folders.h"

#include <algorithm>
#include <filesystem>
#include <set>
#include <system_error>

#include "absl/strings/str_cat.h"
#include "base/file_stamp.h"
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
    : folders_(std::move(folders)), catalog_(catalog) {
  Look();
}

void UpscalerFolders::Add(const std::string& path, const std::string& stamp) {
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
  if (upscaler.name().empty() ||
      !catalog_.Put({upscaler, path, absl::StrCat(path, " ", stamp)})) {
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
  std::vector<std::string> found;  // by folder, and by name in it
  for (const std::string& folder : folders_) {
    std::set<std::string> in_folder;
    std::error_code error;
    for (fs::directory_iterator entry(folder, error), end;
         !error && entry != end; entry.increment(error)) {
      const fs::path& path = entry->path();
      if (path.extension() == ".safetensors" || path.extension() == ".pth") {
        in_folder.insert(path.string());
      }
    }
    const std::string said = error ? error.message() : "";
    if (std::exchange(stamps_[folder], said) != said && error) {
      spdlog::warn("upscalers: {} cannot be read: {}", folder, said);
    }
    found.insert(found.end(), in_folder.begin(), in_folder.end());
  }
  const std::set<std::string> here(found.begin(), found.end());
  std::vector<std::string> gone;
  for (const auto& [path, name] : names_) {
    if (here.count(path) == 0) gone.push_back(path);
  }
  for (const std::string& path : gone) Remove(path);
  for (const std::string& path : found) {
    const std::string stamp = FileStamp(path);
    // One that is left out for its name may have its turn.
    const bool waits = !gone.empty() && names_.count(path) == 0;
    if (!waits && stamps_[path] == stamp) continue;
    Remove(path);
    stamps_[path] = stamp;
    Add(path, stamp);
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
