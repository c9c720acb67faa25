#include "worker/residency/step_profile.h"

#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <limits>
#include <map>
#include <sstream>

#include "ATen/ops/equal.h"
#include "absl/strings/str_cat.h"
#include "base/logging.h"
#include "nlohmann/json.hpp"
#include "worker/denoiser/context_gatherer.h"
#include "worker/device/device_names.h"
#include "worker/device/memory_meter.h"
#include "worker/device/thread_count.h"

namespace genzo {
namespace {

using nlohmann::json;
namespace fs = std::filesystem;

// Changes when what is measured changes.
constexpr int kVersion = 4;
// The best of so many counts. One that shared the processor with others once
// would end the search and keep batches small for as long as the profile lives.
constexpr int kLeastRepeats = 2;
constexpr int kMostRepeats = 12;
constexpr absl::Duration kEnoughTime = absl::Milliseconds(200);
// Times the budget, with all preparations, which a GPU has more of.
constexpr int kMostPreparation = 4;

// Inputs of an evaluation of `rows` equal rows.
struct Input {
  Input(const DiffusionModel& model, const at::Tensor& row,
        const TextContext& text, int rows)
      : sample(row.expand({rows, -1, -1, -1}).contiguous()),
        timesteps(rows, 500.0f),
        context(text) {
    for (KeyValues& layer : context) {
      layer.k = layer.k.expand({rows, -1, -1}).contiguous();
      layer.v = layer.v.expand({rows, -1, -1}).contiguous();
    }
  }

  at::Tensor sample;
  std::vector<float> timesteps;
  TextContext context;
};

std::string ReadWhole(const std::string& path) {
  std::ifstream file(path);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

std::string DefaultFolder() {
  const char* const cache = std::getenv("XDG_CACHE_HOME");
  if (cache != nullptr && *cache != 0) return absl::StrCat(cache, "/genzo");
  const char* const home = std::getenv("HOME");
  if (home != nullptr && *home != 0) return absl::StrCat(home, "/.cache/genzo");
  return "";
}

}  // namespace

StepProfile MeasureStepProfile(const DiffusionModel& model,
                               const ProfileOptions& options,
                               const Clock& clock) {
  const int64_t side = model.default_side_pixels() / model.pixels_per_latent();
  SeededNoise noise(/*seed=*/1);
  const at::Tensor row = noise.Draw({1, model.latent_channels(), side, side});
  const TextContext text =
      model.ProjectContext(model.EncodeTexts({""}, /*clip_skip=*/0));
  StepProfile profile;
  // A GPU's libraries choose kernels by the number of rows, and not every
  // number is tried here.
  const bool on_cpu = model.device().is_cpu();
  profile.rows_independent = on_cpu;
  profile.threads_independent = true;
  std::map<int, absl::Duration> measured;
  at::Tensor alone;
  const absl::Time begin = clock.Now();
  absl::Duration all_spent;  // without the preparations of a first evaluation
  for (int rows = 1; rows <= options.largest_rows; rows *= 2) {
    const Input input(model, row, text, rows);
    // Once to warm up: kernels are made for every shape on first use.
    at::Tensor out;
    {
      const MemoryMeter meter;
      out = model.Denoise(input.sample, input.timesteps, input.context);
      // Recordings have as much for themselves.
      profile.activation_bytes = meter.peak_bytes() * (on_cpu ? 1 : 2);
    }
    if (rows == 1) alone = out;
    profile.rows_independent = profile.rows_independent &&
                               at::equal(out.narrow(0, rows - 1, 1), alone);
    if (options.fewer_threads != options.threads) {
      const ScopedThreads fewer(options.fewer_threads);
      profile.threads_independent =
          profile.threads_independent &&
          at::equal(model.Denoise(input.sample, input.timesteps, input.context),
                    out);
    }
    absl::Duration best = absl::InfiniteDuration();
    absl::Duration spent;
    for (int i = 0; i < kMostRepeats; ++i) {
      if (i >= kLeastRepeats && spent > kEnoughTime) break;
      const absl::Time start = clock.Now();
      model.Denoise(input.sample, input.timesteps, input.context);
      const absl::Duration took = clock.Now() - start;
      best = std::min(best, took);
      spent += took;
    }
    measured[rows] = best;
    all_spent += spent;
    const bool past_the_knee =
        rows > 2 && StepCosts(measured).RowCap(options.largest_rows) < rows;
    if (past_the_knee || all_spent > options.budget ||
        clock.Now() - begin > kMostPreparation * options.budget) {
      break;
    }
  }
  // Made from few rows to many, they fit badly into each other's memory.
  model.ForgetRecordings();
  profile.costs = StepCosts(std::move(measured));
  model.decoder().Full(row);
  const absl::Time start = clock.Now();
  model.decoder().Full(row);
  profile.decode = clock.Now() - start;
  return profile;
}

int RowsThatFit(const StepProfile& profile, double area, int64_t bytes) {
  if (profile.activation_bytes == 0) return std::numeric_limits<int>::max();
  const int measured_rows = profile.costs.measured().rbegin()->first;
  const double rows = static_cast<double>(bytes) * measured_rows /
                      (static_cast<double>(profile.activation_bytes) * area);
  return static_cast<int>(
      std::clamp<double>(rows, 1, std::numeric_limits<int>::max()));
}

ProfileStore::ProfileStore(const std::string& folder)
    : folder_(folder.empty() ? DefaultFolder() : folder) {}

bool ProfileStore::Read(const std::string& model_id, const std::string& key,
                        StepProfile& profile) const {
  if (folder_.empty()) return false;
  const json read = json::parse(
      ReadWhole(absl::StrCat(folder_, "/", model_id, ".json")), nullptr,
      /*allow_exceptions=*/false);
  if (!read.is_object() || read.value("key", "") != key) return false;
  try {
    std::map<int, absl::Duration> measured;
    for (const auto& [rows, seconds] : read.at("step_seconds").items()) {
      measured[std::max(1, std::stoi(rows))] =
          absl::Seconds(seconds.get<double>());
    }
    profile = {
        .costs = StepCosts(std::move(measured)),
        .activation_bytes = read.at("activation_bytes").get<int64_t>(),
        .decode = absl::Seconds(read.at("decode_seconds").get<double>()),
        .rows_independent = read.at("rows_independent").get<bool>(),
        .threads_independent = read.at("threads_independent").get<bool>()};
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
  const json written = {
      {"key", key},
      {"step_seconds", steps},
      {"activation_bytes", profile.activation_bytes},
      {"decode_seconds", absl::ToDoubleSeconds(profile.decode)},
      {"rows_independent", profile.rows_independent},
      {"threads_independent", profile.threads_independent}};
  std::error_code error;
  fs::create_directories(folder_, error);
  const std::string path = absl::StrCat(folder_, "/", model_id, ".json");
  const std::string part = absl::StrCat(path, ".", getpid(), ".part");
  {
    std::ofstream file(part);
    file << written.dump(2) << "\n";
    if (!file) error = std::make_error_code(std::errc::io_error);
  }
  if (!error) fs::rename(part, path, error);
  if (error) {
    spdlog::warn("the profile of model {} is not kept: {} cannot be written",
                 model_id, path);
  }
}

std::string ProfileKey(const std::string& model_folder,
                       const Placement& placement, int threads,
                       int fewer_threads) {
  std::string key =
      absl::StrCat("v", kVersion, ";", DeviceName(placement.device), ";",
                   placement.device.str(), ";", c10::toString(placement.dtype),
                   ";threads=", threads, ",", fewer_threads);
  std::error_code error;
  std::map<std::string, uintmax_t> sizes;
  for (const auto& entry :
       fs::recursive_directory_iterator(model_folder, error)) {
    const std::string extension = entry.path().extension();
    const bool counts = extension == ".safetensors" || extension == ".json";
    if (counts && entry.is_regular_file(error)) {
      sizes[fs::relative(entry.path(), model_folder, error).string()] =
          entry.file_size(error);
    }
  }
  for (const auto& [name, size] : sizes) {
    absl::StrAppend(&key, ";", name, "=", size);
  }
  return key;
}

}  // namespace genzo
