#include "base/models_folder.h"

#include <algorithm>
#include <filesystem>
#include <iterator>
#include <system_error>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "base/file_stamp.h"
#include "base/folder_walk.h"
#include "base/sha256.h"
#include "base/watched_folders.h"

namespace genzo {
namespace {

namespace fs = std::filesystem;

constexpr size_t kMostIdBytes = 63;

// Folders in folders that are looked into.
constexpr int kMostDepth = 4;

constexpr char kConfig[] = ".config";

// Pickles are told of, too: why they are none is said where they are read.
bool IsModel(const fs::path& path) {
  std::error_code error;
  return fs::is_directory(path, error)
             ? path.extension() != kConfig &&
                   fs::exists(path / "model_index.json", error)
             : HasEnding(path, {".safetensors", ".ckpt"}) &&
                   fs::is_regular_file(path, error);
}

// Of a model's own files: beside a single one a folder of its name may lend
// what it lacks.
std::string StampOf(const fs::path& path) {
  std::error_code error;
  const std::string own = FileStamp(path);
  if (fs::is_directory(path, error)) return own;
  const fs::path config = fs::path(path).replace_extension(kConfig);
  return absl::StrCat(own, "\n",
                      fs::is_directory(config, error) ? FileStamp(config) : "");
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
      changing_.erase(at->second);
      id_of_.erase(at->second);
      path_of_.erase(at);
    }
    at = next;
  }
  return gone;
}

std::string ModelsFolder::IdOf(const fs::path& path) const {
  std::error_code error;
  const bool is_folder = fs::is_directory(path, error);
  std::string id = IdOfName(is_folder ? path.filename() : path.stem());
  const auto owner = path_of_.find(id);
  const bool is_taken = owner != path_of_.end() && owner->second != path;
  if (!id.empty() && !is_taken) return id;
  constexpr size_t kDigits = 6;
  id.resize(std::min(id.size(), kMostIdBytes - 1 - kDigits));
  const std::string digest =
      absl::BytesToHexString(Sha256(path.lexically_relative(path_).string()));
  return absl::StrCat(id.empty() ? "model" : id, "-",
                      digest.substr(0, kDigits));
}

ModelsFolder::Found ModelsFolder::Look() {
  std::error_code error;
  std::set<std::string> found;
  std::set<fs::path> lenders;
  const auto looks_into = [&](const fs::path& path, int depth) {
    const bool lends = path.extension() == kConfig;
    const bool is_model = IsModel(path);
    if (is_model) found.insert(path.string());
    if (lends) lenders.insert(path);
    const bool is_hidden = path.filename().string().front() == '.';
    return !is_model && !lends && !is_hidden && depth < kMostDepth;
  };
  WalkFolder(path_, looks_into, error);
  if (error && !IsGone(path_)) return {};
  std::string shared;
  for (const fs::path& lender : lenders) {
    const std::string owner =
        fs::path(lender).replace_extension(".safetensors").string();
    if (found.count(owner) == 0) absl::StrAppend(&shared, FileStamp(lender));
  }
  Found result = {.fresh = {}, .gone = Forget(found)};
  for (const fs::path path : found) {
    std::string& stamp = stamp_of_[path.string()];
    const std::string own = StampOf(path);
    const bool is_file = !fs::is_directory(path, error);
    const std::string now = is_file ? absl::StrCat(own, "\n", shared) : own;
    if (stamp == now) continue;
    // What changes may be a copy under way: it is told of once it stands still.
    std::string& seen = changing_[path.string()];
    if (!stamp.empty() && std::exchange(seen, now) != now) continue;
    changing_.erase(path.string());
    stamp = now;
    ModelConfig model;
    model.id = id_of_.try_emplace(path.string(), IdOf(path)).first->second;
    model.path = path.string();
    model.stamp = own;  // what families share does not make it another
    const fs::path config = fs::path(path).replace_extension(kConfig);
    if (is_file && fs::is_directory(config, error)) {
      model.config = config.string();
    }
    path_of_[model.id] = model.path;
    result.fresh.push_back(std::move(model));
  }
  return result;
}

}  // namespace genzo
