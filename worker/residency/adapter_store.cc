#include "worker/residency/adapter_store.h"

#include <algorithm>
#include <atomic>
#include <exception>
#include <iterator>

#include "absl/strings/str_cat.h"
#include "base/errors.h"
#include "base/guidance_rules.h"
#include "base/lora_blocks.h"
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

// Whether each block of the request's `index`th is one of the denoiser's.
absl::Status CheckBlocks(const v1::LoraUse& lora, int index,
                         const AdapterTargets& targets) {
  const auto& tensors = targets.TensorsOf("denoiser");
  for (int i = 0; i < lora.block_weights_size(); ++i) {
    const std::string& block = lora.block_weights(i).block();
    const bool is_there = std::any_of(
        tensors.begin(), tensors.end(),
        [&](const auto& tensor) { return IsInBlock(tensor.first, block); });
    if (is_there) continue;
    const std::string field =
        absl::StrCat("loras[", index, "].block_weights[", i, "].block");
    return InvalidFieldsError(
        {{field, absl::StrCat(field, " \"", block,
                              "\" begins the name of no layer")}});
  }
  return absl::OkStatus();
}

// Whether the blocks leave something of it. The front end knows once the model
// has been in memory; a job may come before.
absl::Status CheckLeft(const v1::LoraUse& lora, int index,
                       const LoraLibrary::File& file,
                       const AdapterTargets& targets) {
  if (lora.block_weights().empty()) return absl::OkStatus();
  v1::LoraUse resolved = lora;
  if (!lora.has_weight()) resolved.set_weight(1);
  if (!lora.has_text_encoder_weight()) {
    resolved.set_text_encoder_weight(resolved.weight());
  }
  const absl::Status left = CheckBlockWeights(
      resolved, LoraAdapter::LayersOf(*file.tensors, targets));
  if (left.ok()) return left;
  const std::string field = absl::StrCat("loras[", index, "].block_weights");
  return InvalidFieldsError(
      {{field, absl::StrCat(field, " ", left.message())}});
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

// Outlives the store with what jobs have.
struct AdapterStore::Release {
  void Tell() ABSL_LOCKS_EXCLUDED(mutex) {
    ++count;
    if (!wanted) return;
    absl::MutexLock lock(&mutex);
    if (told != nullptr) told();
  }

  std::atomic<int64_t> count{0};    // so far
  std::atomic<bool> wanted{false};  // somebody waits for one
  absl::Mutex mutex;
  std::function<void()> told ABSL_GUARDED_BY(mutex);
};

AdapterStore::AdapterStore(const LoraLibrary* library,
                           const Placement& placement, int64_t budget_bytes,
                           SpareMemory memory, const DeviceMetrics& figures,
                           std::function<void()> on_change)
    : library_(library),
      placement_(placement),
      budget_bytes_(budget_bytes),
      memory_(std::move(memory)),
      figures_(figures),
      on_change_(std::move(on_change)),
      release_(std::make_shared<Release>()) {
  {
    absl::MutexLock lock(&release_->mutex);
    release_->told = on_change_;
  }
  if (library != nullptr) thread_ = std::thread([this] { Loop(); });
}

AdapterStore::~AdapterStore() {
  {
    absl::MutexLock lock(&mutex_);
    stopped_ = true;
  }
  if (thread_.joinable()) thread_.join();
  absl::MutexLock lock(&release_->mutex);
  release_->told = nullptr;
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
  std::optional<Answer> answer;  // goes with no lock held
  absl::MutexLock lock(&mutex_);
  if (auto done = answers_.extract(job)) {
    answer = std::move(done.mapped());
    if (answer->targets == model->adapter_targets()) {
      return std::move(answer->fetched);
    }
  }
  auto own = std::find_if(orders_.begin(), orders_.end(),
                          [&](const Order& order) { return order.job == job; });
  if (own == orders_.end()) {
    Order order = {.job = job, .request = {}, .model = nullptr};
    *order.request.mutable_loras() = request.loras();
    order.request.set_model(request.model());
    own = orders_.insert(orders_.end(), std::move(order));
  }
  if (own != orders_.begin()) return std::nullopt;
  own->model = model;
  look_ = true;  // there may be room by now
  short_ = false;
  return std::nullopt;
}

void AdapterStore::Forget(const std::string& job) {
  std::map<std::string, Answer>::node_type forgotten;  // goes with no lock held
  absl::MutexLock lock(&mutex_);
  forgotten = answers_.extract(job);
  // The first may be under way, and then has its answer thrown away.
  for (auto order = orders_.begin(); order != orders_.end(); ++order) {
    if (order->job != job) continue;
    orders_.erase(order);
    break;
  }
}

void AdapterStore::Clear() {
  std::vector<int64_t> uses;
  for (const IdleBeside& idle : Idle()) uses.push_back(idle.last_used);
  Drop(uses);
}

bool AdapterStore::AwaitChange() {
  absl::MutexLock lock(&mutex_);
  const auto changed = [this]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    return news_ || stopped_ || short_ || orders_.empty() ||
           orders_.front().model == nullptr;
  };
  mutex_.Await(absl::Condition(&changed));
  return std::exchange(news_, false);
}

int64_t AdapterStore::bytes() const {
  absl::MutexLock lock(&mutex_);
  return bytes_;
}

std::vector<IdleBeside> AdapterStore::Idle() const {
  absl::MutexLock lock(&mutex_);
  std::vector<IdleBeside> idle;
  for (const auto& [key, kept] : kept_) {
    if (kept.adapter.use_count() > 1) continue;
    idle.push_back({.bytes = kept.bytes, .last_used = kept.last_used});
  }
  return idle;
}

void AdapterStore::Drop(const std::vector<int64_t>& uses) {
  std::vector<Kept> dropped;
  int64_t bytes = 0;
  {
    absl::MutexLock lock(&mutex_);
    for (auto at = kept_.begin(); at != kept_.end();) {
      const auto next = std::next(at);
      const Kept& kept = at->second;
      if (kept.adapter.use_count() == 1 &&
          std::count(uses.begin(), uses.end(), kept.last_used) > 0) {
        bytes += kept.bytes;
        dropped.push_back(kept);
        kept_.erase(at);
      }
      at = next;
    }
    bytes_ -= bytes;
    Tell();
  }
  if (dropped.empty()) return;
  dropped.clear();
  memory_.release(bytes);
}

void AdapterStore::Loop() {
  c10::InferenceMode inference;
  UseThreads(1);
  const auto due = [this]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    return stopped_ ||
           (look_ && !orders_.empty() && orders_.front().model != nullptr);
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
    release_->wanted = true;
    const int64_t released = release_->count;
    auto fetched = TryFetch(order);
    const auto targets = order.model->adapter_targets();
    order.model.reset();
    if (!fetched.has_value()) {
      // Until somebody looks again, or somebody has let go meanwhile.
      absl::MutexLock lock(&mutex_);
      look_ = look_ || release_->count != released;
      short_ = !look_;
      continue;
    }
    release_->wanted = false;
    {
      absl::MutexLock lock(&mutex_);
      if (!orders_.empty() && orders_.front().job == order.job) {
        orders_.pop_front();
        answers_.emplace(order.job, Answer{targets, *std::move(fetched)});
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
    const absl::Status blocks =
        CheckBlocks(order.request.loras(i), i, *order.model->adapter_targets());
    if (!blocks.ok()) return blocks;
    const absl::Status left = CheckLeft(order.request.loras(i), i, *file,
                                        *order.model->adapter_targets());
    if (!left.ok()) return left;
    files.push_back(*std::move(file));
  }
  const absl::Status fits = CheckSizes(files, order);
  if (!fits.ok()) return fits;
  AdapterUses uses;
  for (int i = 0; i < order.request.loras_size(); ++i) {
    const LoraLibrary::File& file = files[static_cast<size_t>(i)];
    auto adapter = Get(file, order);
    if (!adapter.has_value()) return std::nullopt;
    if (!adapter->ok()) {
      return Wrong(i, ForClients(adapter->status(), file.tensors->path()));
    }
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
  const int64_t left = memory_.most(order.request.model());
  if (all <= std::min(left, budget_bytes_)) return absl::OkStatus();
  return ErrorWithReason(
      absl::StatusCode::kResourceExhausted, kDoesNotFit,
      absl::StrCat(
          "loras take ", all / 1'000'000, " MB together, the limit is ",
          std::min(left, budget_bytes_) / 1'000'000,
          left < budget_bytes_ ? ", what the model leaves of memory_budget_mb"
                               : " (lora_budget_mb)"));
}

std::optional<absl::StatusOr<AdapterStore::AdapterRef>> AdapterStore::Get(
    const LoraLibrary::File& file, const Order& order) {
  const Key key = {order.model->adapter_targets(), file.id};
  if (AdapterRef found = Find(key)) return found;
  const int64_t bytes =
      LoraAdapter::BytesOf(*file.tensors, *key.first, placement_);
  if (!MakeRoom(bytes)) return std::nullopt;
  const absl::Status reserved =
      memory_.try_reserve(bytes, order.request.model());
  if (absl::IsUnavailable(reserved)) return std::nullopt;
  if (!reserved.ok()) return reserved;
  absl::StatusOr<AdapterRef> adapter = absl::UnknownError("");
  try {
    adapter = LoraAdapter::Load(*file.tensors, *key.first, placement_);
    DeviceStream::WaitForThisThread(placement_.device);
  } catch (const std::exception&) {
    adapter = StatusFromException("reading it failed");
  }
  if (!adapter.ok()) {
    memory_.release(bytes);
    return adapter;
  }
  const int64_t use = memory_.next_use();
  absl::MutexLock lock(&mutex_);
  kept_[key] = {.adapter = *adapter, .bytes = bytes, .last_used = use};
  bytes_ += bytes;
  Tell();
  return Handed(*std::move(adapter));
}

AdapterStore::AdapterRef AdapterStore::Find(const Key& key) {
  const int64_t use = memory_.next_use();
  absl::MutexLock lock(&mutex_);
  const auto found = kept_.find(key);
  if (found == kept_.end()) return nullptr;
  found->second.last_used = use;
  return Handed(found->second.adapter);
}

AdapterStore::AdapterRef AdapterStore::Handed(AdapterRef adapter) const {
  const LoraAdapter* const lent = adapter.get();
  return AdapterRef(lent, [kept = std::move(adapter),
                           release = release_](const LoraAdapter*) mutable {
    kept.reset();
    release->Tell();
  });
}

bool AdapterStore::MakeRoom(int64_t bytes) {
  std::vector<IdleBeside> idle = Idle();
  std::sort(idle.begin(), idle.end(), [](const auto& a, const auto& b) {
    return a.last_used < b.last_used;
  });
  int64_t left = this->bytes();
  std::vector<int64_t> uses;
  for (const IdleBeside& one : idle) {
    if (left + bytes <= budget_bytes_) break;
    uses.push_back(one.last_used);
    left -= one.bytes;
  }
  if (left + bytes > budget_bytes_) return false;
  Drop(uses);
  return true;
}

void AdapterStore::Tell() {
  figures_.adapters.Set(static_cast<double>(kept_.size()));
  figures_.adapter_bytes.Set(static_cast<double>(bytes_));
}

}  // namespace genzo
