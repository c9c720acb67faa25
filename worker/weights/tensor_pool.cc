#include "worker/weights/tensor_pool.h"

#include <sys/stat.h>

#include <utility>

#include "absl/strings/str_cat.h"

namespace genzo {
namespace {

class PooledTensors : public TensorSource {
 public:
  PooledTensors(std::shared_ptr<const TensorSource> source,
                std::shared_ptr<TensorPool> pool, std::string key)
      : source_(std::move(source)),
        pool_(std::move(pool)),
        key_(std::move(key)) {}

  const std::map<std::string, TensorEntry>& entries() const override {
    return source_->entries();
  }
  absl::StatusOr<at::Tensor> Read(const std::string& name,
                                  const ReadOptions& options) const override {
    const auto read = [&] { return source_->Read(name, options); };
    if (options.rows.has_value() || entries().count(name) == 0) return read();
    const at::ScalarType dtype =
        options.dtype.value_or(entries().at(name).dtype);
    return pool_->Get(absl::StrCat(key_, ";", c10::toString(dtype), ";", name),
                      read);
  }
  const std::map<std::string, std::string>& metadata() const override {
    return source_->metadata();
  }
  const std::string& path() const override { return source_->path(); }

 private:
  const std::shared_ptr<const TensorSource> source_;
  const std::shared_ptr<TensorPool> pool_;
  const std::string key_;
};

}  // namespace

absl::StatusOr<at::Tensor> TensorPool::Get(
    const std::string& key,
    const std::function<absl::StatusOr<at::Tensor>()>& read) {
  {
    absl::MutexLock lock(&mutex_);
    const auto found = tensors_.find(key);
    if (found != tensors_.end()) {
      if (auto held = found->second.lock()) {
        return at::Tensor(std::move(held));
      }
    }
  }
  const auto made = read();
  if (!made.ok()) return made.status();
  const at::Tensor tensor = made->to(device_);
  absl::MutexLock lock(&mutex_);
  tensors_.insert_or_assign(key, Weak(tensor.getIntrusivePtr()));
  if (tensors_.size() >= sweep_at_) Sweep();
  return tensor;
}

void TensorPool::Sweep() {
  for (auto entry = tensors_.begin(); entry != tensors_.end();) {
    entry = entry->second.expired() ? tensors_.erase(entry) : std::next(entry);
  }
  sweep_at_ = 2 * tensors_.size() + 1024;
}

std::shared_ptr<const void> TensorPool::FindPart(const std::string& key) {
  absl::MutexLock lock(&mutex_);
  const auto found = parts_.find(key);
  return found == parts_.end() ? nullptr : found->second.lock();
}

void TensorPool::KeepPart(const std::string& key,
                          const std::shared_ptr<const void>& part) {
  absl::MutexLock lock(&mutex_);
  for (auto entry = parts_.begin(); entry != parts_.end();) {
    entry = entry->second.expired() ? parts_.erase(entry) : std::next(entry);
  }
  parts_.insert_or_assign(key, part);
}

size_t TensorPool::Count() const {
  absl::MutexLock lock(&mutex_);
  size_t count = 0;
  for (const auto& entry : tensors_) count += entry.second.expired() ? 0 : 1;
  return count;
}

std::string FileIdentity(const std::string& path) {
  struct stat info = {};
  if (stat(path.c_str(), &info) != 0) return "";
  return absl::StrCat(info.st_dev, ";", info.st_ino, ";", info.st_size, ";",
                      info.st_mtim.tv_sec, ".", info.st_mtim.tv_nsec);
}

std::shared_ptr<const TensorSource> InPool(
    std::shared_ptr<const TensorSource> source,
    std::shared_ptr<TensorPool> pool, const std::string& kind) {
  const std::string file = FileIdentity(source->path());
  if (file.empty()) return source;
  std::string key = absl::StrCat(kind, ";", file);
  return std::make_shared<PooledTensors>(std::move(source), std::move(pool),
                                         std::move(key));
}

}  // namespace genzo
