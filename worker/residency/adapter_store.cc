#include "worker/residency/adapter_store.h"

#include <algorithm>
#include <exception>

#include "absl/strings/str_cat.h"
#include "base/errors.h"
#include "c10/core/InferenceMode.h"
#include "worker/device/device_stream.h"
#include "worker/device/exception_status.h"
#include "worker/device/thread_count.h"

namespace genzo {
namespace {

// Of the adapter that a request names at `index`.
absl::Status Wrong(int index, const absl::Status& status) {
  const std::string field = absl::StrCat("loras[", index, "].name");
  return InvalidFieldsError(
      {{field, absl::StrCat(field, " ", status.message())}});
}

AdapterUse UseOf(const v1::LoraUse& lora, const std::string& id,
                 std::shared_ptr<const LoraAdapter> adapter) {
  AdapterUse use = {.adapter = std::move(adapter), .id = id};
  use.weight = lora.has_weight() ? lora.weight() : 1;
  use.text_encoder_weight =
      lora.has_text_encoder_weight() ? lora.text_encoder_weight() : use.weight;
  for (const v1::LoraBlockWeight& block : lora.block_weights()) {
    use.blocks[block.block()] = block.weight();
  }
  use.start = lora.start();
  use.end = lora.has_end() ? lora.end() : 1;
  return use;
}

}  // namespace

AdapterStore::AdapterStore(const LoraLibrary* library,
                           const Placement& placement, int64_t budget_bytes,
                           const DeviceMetrics& figures,
                           std::function<void()> on_change)
    : library_(library),
      placement_(placement),
      budget_bytes_(budget_bytes),
      figures_(figures),
      on_change_(std::move(on_change)) {
  if (library != nullptr) thread_ = std::thread([this] { Loop(); });
}

AdapterStore::~AdapterStore() {
  {
    absl::MutexLock lock(&mutex_);
    stopped_ = true;
  }
  if (thread_.joinable()) thread_.join();
}

std::optional<AdapterStore::Fetched> AdapterStore::Fetch(
    const std::string& job, const v1::GenerateRequest& request,
    const ModelRef& model) {
  if (request.loras().empty()) return AdapterUses();
  if (library_ == nullptr || model->adapter_targets() == nullptr) {
    return InvalidFieldsError(
        {{"loras", absl::StrCat("loras: model \"", request.model(),
                                "\" takes no adapters here")}});
  }
  absl::MutexLock lock(&mutex_);
  const auto done = fetched_.find(job);
  if (done != fetched_.end()) {
    Fetched fetched = std::move(done->second);
    fetched_.erase(done);
    return fetched;
  }
  look_ = true;  // there may be room by now
  const bool waits =
      std::any_of(orders_.begin(), orders_.end(),
                  [&](const Order& order) { return order.job == job; });
  if (waits) return std::nullopt;
  Order order = {.job = job, .request = {}, .model = model};
  *order.request.mutable_loras() = request.loras();
  orders_.push_back(std::move(order));
  return std::nullopt;
}

void AdapterStore::Forget(const std::string& job) {
  absl::MutexLock lock(&mutex_);
  fetched_.erase(job);
  // The first may be under way, and then has its answer thrown away.
  for (auto order = orders_.begin(); order != orders_.end(); ++order) {
    if (order->job != job) continue;
    orders_.erase(order);
    break;
  }
}

void AdapterStore::Clear() {
  absl::MutexLock lock(&mutex_);
  for (auto key = recent_.begin(); key != recent_.end();) {
    const Key next = *key++;
    Drop(next);
  }
}

bool AdapterStore::AwaitChange() {
  absl::MutexLock lock(&mutex_);
  const auto changed = [this]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    return news_ || stopped_ || orders_.empty();
  };
  mutex_.Await(absl::Condition(&changed));
  return std::exchange(news_, false);
}

int64_t AdapterStore::bytes() const {
  absl::MutexLock lock(&mutex_);
  return bytes_;
}

void AdapterStore::Loop() {
  c10::InferenceMode inference;
  UseThreads(1);
  const auto due = [this]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    return stopped_ || (look_ && !orders_.empty());
  };
  while (true) {
    Order order;
    {
      absl::MutexLock lock(&mutex_);
      mutex_.Await(absl::Condition(&due));
      if (stopped_) return;
      look_ = false;
      order = orders_.front();
    }
    auto fetched = TryFetch(order);
    order.model.reset();
    if (!fetched.has_value()) continue;  // until somebody looks again
    {
      absl::MutexLock lock(&mutex_);
      if (!orders_.empty() && orders_.front().job == order.job) {
        orders_.pop_front();
        fetched_.emplace(order.job, *std::move(fetched));
      }
      look_ = news_ = true;
    }
    on_change_();
  }
}

std::optional<AdapterStore::Fetched> AdapterStore::TryFetch(
    const Order& order) {
  std::vector<LoraLibrary::File> files;
  for (int i = 0; i < order.request.loras_size(); ++i) {
    auto file = library_->Find(order.request.loras(i).name());
    if (!file.ok()) return Wrong(i, file.status());
    files.push_back(*std::move(file));
  }
  const absl::Status fits = CheckSizes(files, order);
  if (!fits.ok()) return fits;
  AdapterUses uses;
  for (int i = 0; i < order.request.loras_size(); ++i) {
    const LoraLibrary::File& file = files[static_cast<size_t>(i)];
    auto adapter = Get(file, order);
    if (!adapter.has_value()) return std::nullopt;
    if (!adapter->ok()) return Wrong(i, adapter->status());
    uses.push_back(UseOf(order.request.loras(i), file.id, **adapter));
  }
  return uses;
}

absl::Status AdapterStore::CheckSizes(
    const std::vector<LoraLibrary::File>& files, const Order& order) const {
  std::map<std::string, int64_t> bytes;  // one may be named twice
  for (const LoraLibrary::File& file : files) {
    bytes[file.id] = LoraAdapter::BytesOf(
        *file.tensors, *order.model->adapter_targets(), placement_);
  }
  int64_t all = 0;
  for (const auto& [id, own] : bytes) all += own;
  if (all <= budget_bytes_) return absl::OkStatus();
  return ErrorWithReason(
      absl::StatusCode::kResourceExhausted, "DOES_NOT_FIT",
      absl::StrCat("loras take ", all / 1'000'000,
                   " MB together, the limit is ", budget_bytes_ / 1'000'000,
                   " (lora_budget_mb)"));
}

std::optional<absl::StatusOr<AdapterStore::AdapterRef>> AdapterStore::Get(
    const LoraLibrary::File& file, const Order& order) {
  const Key key = {order.model->adapter_targets(), file.id};
  const int64_t bytes =
      LoraAdapter::BytesOf(*file.tensors, *key.first, placement_);
  {
    absl::MutexLock lock(&mutex_);
    const auto found = kept_.find(key);
    if (found != kept_.end()) {
      recent_.splice(recent_.begin(), recent_, found->second.place);
      return found->second.adapter;
    }
    if (!MakeRoom(bytes)) return std::nullopt;
  }
  absl::StatusOr<AdapterRef> adapter = absl::UnknownError("");
  try {
    adapter = LoraAdapter::Load(*file.tensors, *key.first, placement_);
    DeviceStream::WaitForThisThread(placement_.device);
  } catch (const std::exception&) {
    adapter = StatusFromException("reading it failed");
  }
  if (!adapter.ok()) return adapter;
  absl::MutexLock lock(&mutex_);
  recent_.push_front(key);
  kept_[key] = {*adapter, recent_.begin()};
  bytes_ += (*adapter)->bytes();
  Tell();
  return adapter;
}

bool AdapterStore::MakeRoom(int64_t bytes) {
  for (auto key = recent_.end();
       bytes_ + bytes > budget_bytes_ && key != recent_.begin();) {
    const Key last = *--key;
    const auto next = std::next(key);
    if (Drop(last)) key = next;
  }
  return bytes_ + bytes <= budget_bytes_;
}

bool AdapterStore::Drop(const Key& key) {
  const auto found = kept_.find(key);
  if (found->second.adapter.use_count() > 1) return false;
  bytes_ -= found->second.adapter->bytes();
  recent_.erase(found->second.place);
  kept_.erase(found);
  Tell();
  return true;
}

void AdapterStore::Tell() {
  figures_.adapters.Set(static_cast<double>(kept_.size()));
  figures_.adapter_bytes.Set(static_cast<double>(bytes_));
}

}  // namespace genzo
