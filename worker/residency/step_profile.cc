#include "worker/residency/step_profile.h"

#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <limits>
#include <map>

#include "absl/strings/str_cat.h"
#include "base/logging.h"
#include "nlohmann/json.hpp"
#include "worker/device/device_names.h"
#include "worker/kernels/row_bits.h"
#include "worker/weights/json_text.h"
#include "worker/weights/regular_file.h"

namespace genzo {
namespace {

using nlohmann::json;
namespace fs = std::filesystem;

// Changes when what is measured changes.
constexpr int kVersion = 8;
constexpr int kLeastReproducibleRows = 2;  // a guided image has as many
constexpr size_t kMaxProfileBytes = 8 << 20;

std::string DefaultFolder() {
  const char* const cache = std::getenv("XDG_CACHE_HOME");
  if (cache != nullptr && *cache != 0) return absl::StrCat(cache, "/genzo");
  const char* const home = std::getenv("HOME");
  if (home != nullptr && *home != 0) return absl::StrCat(home, "/.cache/genzo");
  return "";
}

}  // namespace

int64_t BytesOf(const StepProfile& profile, double area, int rows) {
  const int measured_rows = profile.costs.measured().rbegin()->first;
  return static_cast<int64_t>(
      area *
      (static_cast<double>(profile.activation_bytes) * rows / measured_rows +
       static_cast<double>(profile.decode_bytes)));
}

int RowsThatFit(const StepProfile& profile, double area, int64_t bytes) {
  if (profile.activation_bytes == 0) return std::numeric_limits<int>::max();
  const auto none = static_cast<double>(BytesOf(profile, area, 0));
  const auto one = static_cast<double>(BytesOf(profile, area, 1)) - none;
  const double rows = (static_cast<double>(bytes) - none) / one;
  return static_cast<int>(
      std::clamp<double>(rows, 1, std::numeric_limits<int>::max()));
}

int PicturesThatFit(const StepProfile& profile, double area, int64_t bytes) {
  const auto one = std::max<int64_t>(1, BytesOf(profile, area, 0));
  return static_cast<int>(
      std::clamp<int64_t>(bytes / 2 / one, 1, std::numeric_limits<int>::max()));
}

int ReproducibleRows(const StepProfile& profile, double area, int64_t bytes,
                     int largest) {
  const int rows = std::min(profile.costs.RowCap(largest, area),
                            RowsThatFit(profile, area, bytes));
  return std::max(rows, kLeastReproducibleRows);
}

ProfileStore::ProfileStore(const std::string& folder)
    : folder_(folder.empty() ? DefaultFolder() : folder) {}

bool ProfileStore::Read(const std::string& model_id, const std::string& key,
                        StepProfile& profile) const {
  if (folder_.empty()) return false;
  const std::string path = absl::StrCat(folder_, "/", model_id, ".json");
  const auto text = ReadWholeFile(path, kMaxProfileBytes);
  if (absl::IsNotFound(text.status())) return false;
  const auto parsed = text.ok() ? ParseJson(*text) : text.status();
  if (!parsed.ok()) {
    spdlog::warn("the profile of model {} cannot be read: {}: {}", model_id,
                 path, std::string(parsed.status().message()));
    return false;
  }
  try {
    const json& read = *parsed;
    if (read.at("key") != key) return false;
    std::map<int, absl::Duration> measured;
    for (const auto& [rows, seconds] : read.at("step_seconds").items()) {
      measured[std::max(1, std::stoi(rows))] =
          absl::Seconds(seconds.get<double>());
    }
    profile = {.costs = StepCosts(std::move(measured)),
               .activation_bytes = read.at("activation_bytes").get<int64_t>(),
               .decode = absl::Seconds(read.at("decode_seconds").get<double>()),
               .decode_bytes = read.at("decode_bytes").get<int64_t>(),
               .rows_independent = read.at("rows_independent").get<bool>()};
    for (const json& layer : read.at("layers")) {
      SetKeepsRowBits(layer.at("key").get<LayerKey>(),
                      layer.at("keeps_row_bits").get<bool>());
    }
    return profile.costs.known();
  } catch (const std::exception& e) {
    spdlog::warn("the profile of model {} cannot be read: {}", model_id,
                 e.what());
    return false;
  }
}

void ProfileStore::Write(const std::string& model_id, const std::string& key,
                         const StepProfile& profile) const {
  if (folder_.empty()) return;
  json steps = json::object();
  for (const auto& [rows, duration] : profile.costs.measured()) {
    steps[absl::StrCat(rows)] = absl::ToDoubleSeconds(duration);
  }
  json layers = json::array();
  for (const auto& [layer, keeps] : AllRowBits()) {
    layers.push_back({{"key", layer}, {"keeps_row_bits", keeps}});
  }
  const json written = {
      {"key", key},
      {"layers", layers},
      {"step_seconds", steps},
      {"activation_bytes", profile.activation_bytes},
      {"decode_seconds", absl::ToDoubleSeconds(profile.decode)},
      {"decode_bytes", profile.decode_bytes},
      {"rows_independent", profile.rows_independent}};
  std::error_code error;
  fs::create_directories(folder_, error);
  const std::string path = absl::StrCat(folder_, "/", model_id, ".json");
  // Devices of one process measure a model at the same time.
  static std::atomic<int> written_so_far = 0;
  const std::string part =
      absl::StrCat(path, ".", getpid(), ".", ++written_so_far, ".part");
  {
    std::ofstream file(part);
    file << written.dump() << "\n";
    if (!file) error = std::make_error_code(std::errc::io_error);
  }
  if (!error) fs::rename(part, path, error);
  if (error) {
    spdlog::warn("the profile of model {} is not kept: {} cannot be written",
                 model_id, path);
  }
}

std::string ProfileKey(const std::string& model_path,
                       const Placement& placement, int threads) {
  std::string key =
      absl::StrCat("v", kVersion, ";", DeviceName(placement.device), ";",
                   placement.device.str(), ";", c10::toString(placement.dtype),
                   ";threads=", threads);
  std::error_code error;
  std::map<std::string, uintmax_t> sizes;
  if (fs::is_regular_file(model_path, error)) {
    sizes[fs::path(model_path).filename().string()] =
        fs::file_size(model_path, error);
  }
  for (const auto& entry :
       fs::recursive_directory_iterator(model_path, error)) {
    const std::string extension = entry.path().extension();
    const bool counts = extension == ".safetensors" || extension == ".json";
    if (counts && entry.is_regular_file(error)) {
      sizes[fs::relative(entry.path(), model_path, error).string()] =
          entry.file_size(error);
    }
  }
  for (const auto& [name, size] : sizes) {
    absl::StrAppend(&key, ";", name, "=", size);
  }
  return key;
}

}  // namespace genzo
