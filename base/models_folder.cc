#include "base/models_folder.h"

#include <filesystem>
#include <iterator>
#include <system_error>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "base/logging.h"

namespace genzo {
namespace {

namespace fs = std::filesystem;

constexpr size_t kMostIdBytes = 63;

// Changes when the file does. Of a folder: when its index does.
std::string StampOf(const fs::path& path) {
  std::error_code error;
  const fs::path file =
      fs::is_directory(path, error) ? path / "model_index.json" : path;
  return absl::StrCat(
      fs::file_size(file, error), " ",
      fs::last_write_time(file, error).time_since_epoch().count());
}

bool IsModel(const fs::path& path) {
  std::error_code error;
  return fs::is_directory(path, error)
             ? path.extension() != ".config" &&
                   fs::exists(path / "model_index.json", error)
             : path.extension() == ".safetensors" &&
                   fs::is_regular_file(path, error);
}

}  // namespace

std::string IdOfName(const std::string& name) {
  std::string id;
  for (const char c : absl::AsciiStrToLower(name)) {
    const bool plain = absl::ascii_isalnum(c) != 0;
    if (plain || (!id.empty() && (c == '.' || c == '_'))) {
      id += c;
    } else if (!id.empty() && id.back() != '-') {
      id += '-';
    }
    if (id.size() == kMostIdBytes) break;
  }
  while (!id.empty() && id.back() == '-') id.pop_back();
  return id;
}

ModelsFolder::ModelsFolder(std::string path,
                           const std::vector<ModelConfig>& taken)
    : path_(std::move(path)) {
  for (const ModelConfig& model : taken) {
    path_of_[model.id] = model.path;
    taken_.insert(model.id);
  }
}

std::vector<std::string> ModelsFolder::Forget(
    const std::set<std::string>& found) {
  std::vector<std::string> gone;
  for (auto at = path_of_.begin(); at != path_of_.end();) {
    const auto next = std::next(at);
    if (taken_.count(at->first) == 0 && found.count(at->second) == 0) {
      gone.push_back(at->first);
      stamp_of_.erase(at->second);
      path_of_.erase(at);
    }
    at = next;
  }
  // Another of the same name may have its turn.
  if (!gone.empty()) {
    std::set<std::string> owners;
    for (const auto& [id, path] : path_of_) owners.insert(path);
    for (const std::string& path : found) {
      if (owners.count(path) == 0) stamp_of_.erase(path);
    }
  }
  return gone;
}

ModelsFolder::Found ModelsFolder::Look() {
  std::error_code error;
  std::set<std::string> found;
  for (fs::directory_iterator entry(path_, error), end; !error && entry != end;
       entry.increment(error)) {
    if (IsModel(entry->path())) found.insert(entry->path().string());
  }
  if (error && error != std::errc::no_such_file_or_directory) return {};
  Found result = {.fresh = {}, .gone = Forget(found)};
  for (const fs::path path : found) {
    std::string& stamp = stamp_of_[path.string()];
    const std::string now = StampOf(path);
    if (stamp == now) continue;
    stamp = now;
    const bool is_file = path.extension() == ".safetensors";
    ModelConfig model;
    model.id = IdOfName(is_file ? path.stem() : path.filename());
    model.path = path.string();
    const fs::path config = fs::path(path).replace_extension(".config");
    if (is_file && fs::is_directory(config, error)) {
      model.config = config.string();
    }
    const auto [place, is_new] = path_of_.try_emplace(model.id, model.path);
    if (model.id.empty() || (!is_new && place->second != model.path)) {
      spdlog::warn("{} is left out: the id \"{}\" is {}", model.path, model.id,
                   model.id.empty() ? "empty" : "that of " + place->second);
      continue;
    }
    result.fresh.push_back(std::move(model));
  }
  return result;
}

}  // namespace genzo
