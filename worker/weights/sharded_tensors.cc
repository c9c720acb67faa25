#include "worker/weights/sharded_tensors.h"

#include <filesystem>

#include "absl/strings/str_cat.h"
#include "worker/weights/json_config.h"
#include "worker/weights/json_text.h"

namespace genzo {

namespace fs = std::filesystem;

namespace {

// Each keeps a file open, and real models have a dozen.
constexpr size_t kMaxShards = 256;

}  // namespace

absl::StatusOr<std::shared_ptr<const TensorSource>> ShardedTensors::Open(
    const std::string& index_path) {
  const auto index = JsonConfig::ReadFile(index_path);
  if (!index.ok()) return index.status();
  const auto map = index->object().find("weight_map");
  if (map == index->object().end() || !map->is_object() || map->empty()) {
    return absl::InvalidArgumentError(absl::StrCat(
        index_path, ": weight_map is not an object of tensors and files"));
  }
  std::shared_ptr<ShardedTensors> tensors(new ShardedTensors(index_path));
  for (const auto& [name, file_name] : map->items()) {
    const auto invalid = [&, &name = name](const std::string& what) {
      return absl::InvalidArgumentError(absl::StrCat(
          index_path, ": tensor \"", Shortened(name), "\" ", what));
    };
    if (!file_name.is_string()) return invalid("has no file's name");
    const auto shard = tensors->Shard(file_name.get<std::string>());
    if (!shard.ok()) return shard.status();
    const auto entry = (*shard)->entries().find(name);
    if (entry == (*shard)->entries().end()) {
      return invalid(absl::StrCat("is not in ", (*shard)->path()));
    }
    tensors->entries_.insert(*entry);
    tensors->shard_of_[name] = *shard;
  }
  return std::shared_ptr<const TensorSource>(std::move(tensors));
}

absl::StatusOr<const TensorSource*> ShardedTensors::Shard(
    const std::string& file_name) {
  std::shared_ptr<const TensorSource>& shard = shards_[file_name];
  if (shard != nullptr) return shard.get();
  const auto refused = [&](absl::StatusCode code, absl::string_view why) {
    return absl::Status(code, absl::StrCat(path_, ": shard \"",
                                           Shortened(file_name), "\": ", why));
  };
  // Whoever made the model may not name other files of this machine.
  const fs::path plain = fs::path(file_name).filename();
  if (plain != file_name || plain.empty() || plain == "." || plain == "..") {
    return refused(absl::StatusCode::kInvalidArgument,
                   "is not the plain name of a file beside the index");
  }
  if (shards_.size() > kMaxShards) {
    return refused(absl::StatusCode::kInvalidArgument,
                   absl::StrCat("more than ", kMaxShards, " shards"));
  }
  const auto opened =
      SafetensorsFile::Open((fs::path(path_).parent_path() / plain).string());
  if (!opened.ok()) {
    return refused(opened.status().code(), opened.status().message());
  }
  shard = *opened;
  return shard.get();
}

absl::StatusOr<at::Tensor> ShardedTensors::Read(
    const std::string& name, const ReadOptions& options) const {
  const auto found = shard_of_.find(name);
  if (found == shard_of_.end()) return Missing(name);
  return found->second->Read(name, options);
}

}  // namespace genzo
