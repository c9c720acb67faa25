#include "worker/upscale/upscaler_folders.h"

#include <algorithm>
#include <filesystem>
#include <set>
#include <system_error>

#include "base/logging.h"
#include "base/models_folder.h"

namespace genzo {
namespace {

namespace fs = std::filesystem;

void Find(const fs::path& path, UpscalerCatalog& catalog) {
  const auto leave_out = [&](const std::string& why) {
    spdlog::warn("{} is left out: {}", path.string(), why);
  };
  const auto source = OpenUpscalerFile(path.string());
  if (!source.ok()) return leave_out(std::string(source.status().message()));
  const auto traits = DescribeUpscaler(**source);
  if (!traits.ok()) return leave_out(std::string(traits.status().message()));
  v1::Upscaler upscaler;
  upscaler.set_name(IdOfName(path.stem().string()));
  upscaler.set_scale(static_cast<uint32_t>(traits->scale));
  upscaler.set_architecture(traits->architecture);
  upscaler.set_weight_bytes(static_cast<uint64_t>(traits->weight_bytes));
  if (upscaler.name().empty() || !catalog.Put(upscaler, path.string())) {
    leave_out("its name \"" + upscaler.name() + "\" is empty or taken");
  }
}

}  // namespace

void FindUpscalers(const std::vector<std::string>& folders,
                   UpscalerCatalog& catalog) {
  for (const std::string& folder : folders) {
    std::set<fs::path> found;
    std::error_code error;
    for (fs::directory_iterator entry(folder, error), end;
         !error && entry != end; entry.increment(error)) {
      const fs::path& path = entry->path();
      if (path.extension() == ".safetensors" || path.extension() == ".pth") {
        found.insert(path);
      }
    }
    if (error) {
      spdlog::warn("upscalers: {} cannot be read: {}", folder, error.message());
    }
    for (const fs::path& path : found) Find(path, catalog);
  }
}

absl::StatusOr<LoadedUpscalers::Loaded> LoadedUpscalers::Get(
    const std::string& name) {
  const auto entry = catalog_.Get(name);
  if (!entry.ok()) return entry.status();
  Loaded loaded = {.upscaler = entry->upscaler, .network = nullptr};
  if (entry->path.empty()) return loaded;
  const auto known = std::find_if(
      networks_.begin(), networks_.end(), [&](const auto& network) {
        return network.first == entry->upscaler.name();
      });
  if (known != networks_.end()) {
    networks_.splice(networks_.begin(), networks_, known);
  } else {
    if (networks_.size() == kMost) networks_.pop_back();
    auto network = LoadUpscaler(entry->path, device_);
    if (!network.ok()) return network.status();
    networks_.emplace_front(entry->upscaler.name(), *std::move(network));
  }
  loaded.network = networks_.front().second;
  return loaded;
}

}  // namespace genzo
