#include "base/models_folder.h"

#include <filesystem>
#include <iterator>
#include <system_error>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "base/file_stamp.h"
#include "base/logging.h"

namespace genzo {
namespace {

namespace fs = std::filesystem;

constexpr size_t kMostIdBytes = 63;

constexpr char kConfig[] = ".config";

// Pickles are told of, too: why they are none is said where they are read.
bool IsModel(const fs::path& path) {
  std::error_code error;
  return fs::is_directory(path, error)
             ? path.extension() != kConfig &&
                   fs::exists(path / "model_index.json", error)
             : (path.extension() == ".safetensors" ||
                path.extension() == ".ckpt") &&
                   fs::is_regular_file(path, error);
}

// Folders that lend what single files lack: a file's own by its name, and the
// families' for all, whose stamps are `shared`.
std::string StampOf(const fs::path& path, const std::string& shared) {
  std::error_code error;
  const std::string own = FileStamp(path);
  if (fs::is_directory(path, error)) return own;
  const fs::path config = fs::path(path).replace_extension(kConfig);
  return absl::StrCat(own, "\n",
                      fs::is_directory(config, error) ? FileStamp(config) : "",
                      "\n", shared);
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
  std::set<fs::path> lenders;
  for (fs::directory_iterator entry(path_, error), end; !error && entry != end;
       entry.increment(error)) {
    const fs::path& path = entry->path();
    if (IsModel(path)) found.insert(path.string());
    if (path.extension() == kConfig) lenders.insert(path);
  }
  if (error && error != std::errc::no_such_file_or_directory) return {};
  std::string shared;
  for (const fs::path& lender : lenders) {
    const std::string owner =
        fs::path(lender).replace_extension(".safetensors").string();
    if (found.count(owner) == 0) absl::StrAppend(&shared, FileStamp(lender));
  }
  Found result = {.fresh = {}, .gone = Forget(found)};
  for (const fs::path path : found) {
    std::string& stamp = stamp_of_[path.string()];
    const std::string now = StampOf(path, shared);
    if (stamp == now) continue;
    stamp = now;
    const bool is_file = !fs::is_directory(path, error);
    ModelConfig model;
    model.id = IdOfName(is_file ? path.stem() : path.filename());
    model.path = path.string();
    const fs::path config = fs::path(path).replace_extension(kConfig);
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
