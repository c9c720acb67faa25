#include "server/jobs/result_cache.h"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <sstream>
#include <system_error>
#include <utility>

#include "absl/algorithm/container.h"
#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "base/durable_file.h"
#include "base/logging.h"
#include "base/sha256.h"
#include "base/upscale_plan.h"
#include "google/protobuf/io/zero_copy_stream_impl.h"
#include "google/protobuf/util/delimited_message_util.h"

namespace genzo {
namespace {

namespace fs = std::filesystem;

// Part of every key: another number forgets what older servers kept.
constexpr char kVersion[] = "1";
// Of a key, names the tenant.
constexpr size_t kTenantDigits = 16;

std::string HexDigest(const std::string& text) {
  return absl::BytesToHexString(Sha256(text));
}

// Whether a file of that name, with or without an ending, is one of ours.
bool IsKey(absl::string_view name) {
  constexpr size_t kDigits = 64;
  const auto is_hex = [](absl::string_view text) {
    return absl::c_all_of(text, absl::ascii_isxdigit);
  };
  return name.size() == kTenantDigits + 1 + kDigits &&
         name[kTenantDigits] == '-' && is_hex(name.substr(0, kTenantDigits)) &&
         is_hex(name.substr(kTenantDigits + 1));
}

std::string TenantOf(const std::string& key) {
  return key.substr(0, kTenantDigits);
}

std::string Serialised(const std::vector<v1::Image>& images) {
  std::ostringstream stream;
  for (const v1::Image& image : images) {
    google::protobuf::util::SerializeDelimitedToOstream(image, &stream);
  }
  return stream.str();
}

std::optional<std::vector<v1::Image>> Parsed(const std::string& data) {
  std::istringstream stream(data);
  google::protobuf::io::IstreamInputStream input(&stream);
  std::vector<v1::Image> images;
  while (true) {
    v1::Image image;
    bool at_end = false;
    if (google::protobuf::util::ParseDelimitedFromZeroCopyStream(&image, &input,
                                                                 &at_end)) {
      images.push_back(std::move(image));
    } else if (at_end && !images.empty()) {
      return images;
    } else {
      return std::nullopt;
    }
  }
}

std::string ReadFile(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return std::string(std::istreambuf_iterator<char>(file), {});
}

bool IsNetwork(const std::string& upscaler) {
  return !upscaler.empty() && upscaler != kLanczos;
}

// Files that are no part of the model, and may be others under the same name
// tomorrow. Words of a weighted prompt may be embeddings, where there are any.
bool NamesFilesBeside(const v1::GenerateRequest& request,
                      const v1::Model& model) {
  return request.loras_size() > 0 || request.controls_size() > 0 ||
         request.image_prompts_size() > 0 ||
         (request.prompt_syntax() == v1::PROMPT_SYNTAX_WEIGHTED &&
          model.embeddings_size() > 0) ||
         IsNetwork(request.hires().upscaler()) ||
         IsNetwork(request.output().upscaler()) ||
         !request.best_of().scorer().empty();
}

}  // namespace

class ResultCache::Recorder : public EventSink {
 public:
  Recorder(ResultCache& cache, std::string key, size_t count,
           std::shared_ptr<EventSink> sink)
      : cache_(cache),
        key_(std::move(key)),
        count_(count),
        sink_(std::move(sink)) {}

  void Post(v1::JobEvent event) override {
    std::vector<v1::Image> all;
    {
      absl::MutexLock lock(&mutex_);
      if (event.has_image()) images_.push_back(event.image());
      if (event.has_ended()) all = std::exchange(images_, {});
    }
    if (all.size() == count_) cache_.Put(key_, all);
    sink_->Post(std::move(event));
  }

 private:
  ResultCache& cache_;
  const std::string key_;
  const size_t count_;
  const std::shared_ptr<EventSink> sink_;
  absl::Mutex mutex_;
  std::vector<v1::Image> images_ ABSL_GUARDED_BY(mutex_);
};

absl::StatusOr<std::unique_ptr<ResultCache>> ResultCache::Open(
    const ResultCacheConfig& config, Metrics& metrics) {
  std::unique_ptr<ResultCache> cache(new ResultCache(config, metrics));
  if (config.folder.empty()) return cache;
  cache->writer_ = std::make_unique<WorkThread>();
  const absl::Status scanned = cache->Scan();
  if (!scanned.ok()) return scanned;
  return cache;
}

ResultCache::ResultCache(const ResultCacheConfig& config, Metrics& metrics)
    : config_(config), metrics_(metrics) {}

absl::Status ResultCache::Scan() {
  std::error_code error;
  fs::create_directories(config_.folder, error);
  std::vector<std::pair<fs::file_time_type, Entry>> found;
  for (fs::directory_iterator it(config_.folder, error), end;
       !error && it != end; it.increment(error)) {
    const std::string name = it->path().filename().string();
    std::error_code gone;
    absl::string_view key = name;
    const bool unfinished = absl::ConsumeSuffix(&key, kUnfinishedSuffix);
    if (!IsKey(key)) continue;
    if (unfinished) {
      fs::remove(it->path(), gone);
      continue;
    }
    const auto bytes = static_cast<int64_t>(it->file_size(gone));
    if (gone) continue;
    found.emplace_back(it->last_write_time(gone), Entry{name, bytes, ""});
  }
  if (error) {
    return absl::FailedPreconditionError(
        absl::StrCat("result_cache.folder ", config_.folder,
                     " cannot be used: ", error.message()));
  }
  std::sort(found.begin(), found.end(),
            [](const auto& a, const auto& b) { return a.first < b.first; });
  absl::MutexLock lock(&mutex_);
  for (auto& [time, entry] : found) AddLocked(std::move(entry));
  return absl::OkStatus();
}

std::string ResultCache::PathOf(const std::string& key) const {
  return (fs::path(config_.folder) / key).string();
}

std::string ResultCache::KeyOf(const std::string& tenant,
                               const v1::GenerateRequest& resolved,
                               const v1::Model& model) {
  if (resolved.reproducibility() != v1::REPRODUCIBILITY_REPRODUCIBLE ||
      resolved.keep_latents() || !resolved.start_latents().empty() ||
      NamesFilesBeside(resolved, model)) {
    return "";
  }
  v1::GenerateRequest request = resolved;
  request.clear_request_id();
  request.clear_preview();
  request.clear_priority();
  request.clear_time_limit();
  request.clear_on_disconnect();
  // Lengths first, so that no two lists of parts are one text.
  std::string text;
  for (const std::string& part :
       {std::string(kVersion), tenant, model.id(), model.fingerprint(),
        model.dtype(), request.SerializeAsString()}) {
    absl::StrAppend(&text, part.size(), ":", part);
  }
  return absl::StrCat(HexDigest(tenant).substr(0, kTenantDigits), "-",
                      HexDigest(text));
}

std::optional<std::vector<v1::Image>> ResultCache::Find(
    const std::string& key) {
  std::string data;
  {
    absl::MutexLock lock(&mutex_);
    const auto found = by_key_.find(key);
    metrics_.CountResult(/*hit=*/found != by_key_.end());
    if (found == by_key_.end()) return std::nullopt;
    entries_.splice(entries_.begin(), entries_, found->second);
    data = found->second->data;
  }
  if (data.empty()) {
    data = ReadFile(PathOf(key));
    std::error_code ignored;  // only the order after a restart suffers
    fs::last_write_time(PathOf(key), fs::file_time_type::clock::now(), ignored);
  }
  auto images = Parsed(data);
  if (images.has_value()) return images;
  spdlog::warn("a kept result cannot be read and is forgotten: {}", key);
  absl::MutexLock lock(&mutex_);
  const auto found = by_key_.find(key);
  if (found != by_key_.end()) RemoveLocked(found->second);
  return std::nullopt;
}

void ResultCache::Put(const std::string& key,
                      const std::vector<v1::Image>& images) {
  std::string data = Serialised(images);
  const auto bytes = static_cast<int64_t>(data.size());
  absl::MutexLock lock(&mutex_);
  if (by_key_.count(key) > 0) return;
  AddLocked({.key = key, .bytes = bytes, .data = std::move(data)});
  Changed(key);
}

std::shared_ptr<EventSink> ResultCache::Recording(
    std::string key, size_t count, std::shared_ptr<EventSink> sink) {
  return std::make_shared<Recorder>(*this, std::move(key), count,
                                    std::move(sink));
}

void ResultCache::AddLocked(Entry entry) {
  const std::string tenant = TenantOf(entry.key);
  bytes_ += entry.bytes;
  metrics_.result_cache_bytes().Set(static_cast<double>(bytes_));
  tenant_bytes_.Add(tenant, entry.bytes);
  entries_.push_front(std::move(entry));
  by_key_[entries_.front().key] = entries_.begin();
  TrimLocked(tenant);
}

ResultCache::Entries::iterator ResultCache::RemoveLocked(
    Entries::iterator entry) {
  tenant_bytes_.Add(TenantOf(entry->key), -entry->bytes);
  bytes_ -= entry->bytes;
  metrics_.result_cache_bytes().Set(static_cast<double>(bytes_));
  by_key_.erase(entry->key);
  Changed(entry->key);
  return entries_.erase(entry);
}

void ResultCache::TrimLocked(const std::string& tenant) {
  const int64_t most = config_.tenant_bytes > 0
                           ? std::min(config_.tenant_bytes, config_.bytes)
                           : config_.bytes;
  for (auto it = entries_.end(); it != entries_.begin();) {
    --it;
    const bool tenant_over = tenant_bytes_.Of(tenant) > most;
    if (!tenant_over && bytes_ <= config_.bytes) return;
    if (bytes_ > config_.bytes || TenantOf(it->key) == tenant) {
      it = RemoveLocked(it);
    }
  }
}

void ResultCache::Changed(const std::string& key) {
  if (writer_ != nullptr) writer_->Add([this, key] { WriteNow(key); });
}

void ResultCache::WriteNow(const std::string& key) {
  std::string data;
  {
    absl::MutexLock lock(&mutex_);
    const auto found = by_key_.find(key);
    if (found != by_key_.end()) {
      data = found->second->data;
      if (data.empty()) return;  // written meanwhile
    }
  }
  if (data.empty()) {
    std::error_code ignored;
    fs::remove(PathOf(key), ignored);
    return;
  }
  const absl::Status written = WriteDurably(PathOf(key), data);
  absl::MutexLock lock(&mutex_);
  const auto found = by_key_.find(key);
  if (!written.ok()) {
    spdlog::warn("a result is not kept: {}", std::string(written.message()));
    if (found != by_key_.end()) RemoveLocked(found->second);
  } else if (found != by_key_.end()) {
    found->second->data.clear();
  }  // else its removal is among the changes
}

}  // namespace genzo
