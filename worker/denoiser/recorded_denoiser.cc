#include "worker/denoiser/recorded_denoiser.h"

#include <algorithm>
#include <deque>
#include <exception>

#include "ATen/TensorOperators.h"
#include "ATen/ops/_foreach_copy.h"
#include "ATen/ops/isfinite.h"
#include "ATen/ops/zeros.h"
#include "base/logging.h"
#include "worker/denoiser/row_adapters.h"
#include "worker/device/exception_status.h"

namespace genzo {
namespace {

// Rows and sizes in use at once; each keeps its inputs and some megabytes of
// the driver's.
constexpr size_t kMostEntries = 32;

// Rows of what was prepared that are kept from the start: more of them need
// other memory, and what was recorded with this is recorded anew.
constexpr int64_t kPreparedRows = 16;

// Shapes of what was prepared (lengths of texts) that are kept at once.
constexpr size_t kMostPrepared = 4;

// Failed recordings in a row, each of another kind, after which no more are
// tried.
constexpr int kMostFailures = 3;

// A replay that does something else is far off; kernels chosen anew may round
// another way.
constexpr double kBound = 0.02;

bool IsFinite(const at::Tensor& tensor) {
  return at::isfinite(tensor).all().item<bool>();
}

bool IsNear(const at::Tensor& actual, const at::Tensor& expected) {
  const at::Tensor distance = (actual - expected).abs().max().to(at::kFloat);
  const at::Tensor bound = kBound * expected.abs().max().to(at::kFloat);
  return (distance <= bound).item<bool>();
}

// Rows that only fill up must hold numbers: others can be slow to compute.
at::Tensor Zeros(const at::Tensor& like, int64_t rows) {
  std::vector<int64_t> sizes = like.sizes().vec();
  sizes[0] = rows;
  return at::zeros(sizes, like.options());
}

// Sizes of a row of each, one list after the other.
std::vector<int64_t> RowSizes(const std::vector<at::Tensor>& tensors) {
  std::vector<int64_t> sizes;
  for (const at::Tensor& tensor : tensors) {
    const at::IntArrayRef row = tensor.sizes().slice(1);
    sizes.insert(sizes.end(), row.begin(), row.end());
  }
  return sizes;
}

}  // namespace

int64_t RecordedRows(int64_t rows) {
  const int64_t step = rows <= 4 ? 1 : rows <= 16 ? 2 : 4;
  return (rows + step - 1) / step * step;
}

class RecordedDenoiser::State {
 public:
  State(const Denoiser& denoiser, std::unique_ptr<Recorder> recorder)
      : denoiser_(denoiser), recorder_(std::move(recorder)) {}

  at::Tensor Forward(const at::Tensor& sample, const at::Tensor& times,
                     const Prepared& prepared);
  int recordings() const;
  void Forget();

 private:
  // Sizes of a row of every input.
  using Sizes = std::vector<int64_t>;
  // Rows, and those.
  using Key = std::pair<int64_t, Sizes>;
  // Tells a tensor from others without keeping its memory.
  using WeakTensor =
      c10::weak_intrusive_ptr<at::TensorImpl, at::UndefinedTensorImpl>;

  // What recordings of one shape read of what was prepared, each as many rows
  // as it has; texts are most of what an evaluation takes in.
  struct Shared {
    std::vector<at::Tensor> tensors;
    // Of those that were copied last: a batch mostly stays together from step
    // to step. They are made whole, so one tensor stands for all.
    WeakTensor copied{at::Tensor().getIntrusivePtr()};
  };

  // One kind of evaluation and the memory that it works on.
  struct Entry {
    at::Tensor sample;
    at::Tensor times;
    Prepared prepared;  // the first rows of the shared ones
    at::Tensor prediction;
    std::unique_ptr<Recording> recording;
    bool warm = false;  // it was evaluated before
    int64_t last_used = 0;
  };

  using Layers = std::shared_ptr<const EvalContext::Layers>;

  // `sizes` are those of the rows of what was prepared.
  const Shared& Fill(const Sizes& sizes,
                     const std::vector<at::Tensor>& prepared);
  // `layers`, unless null, are the last of what is shared.
  Entry& EntryFor(const Key& key, const at::Tensor& sample,
                  const at::Tensor& times, const Shared& shared,
                  const Layers& layers);
  // The adapters as tensors by row; null without any.
  Layers LayersOf(const Prepared& prepared);
  at::Tensor ForwardKept(const at::Tensor& sample, const at::Tensor& times,
                         const Prepared& prepared, const Layers& layers);
  void Evaluate(Entry& entry) const;
  void Record(const Key& key, Entry& entry, int64_t rows);
  absl::Status TryToRecord(Entry& entry, const at::Tensor& expected);
  void NotRecorded(const Key& key, Entry& entry, const absl::Status& why);

  const Denoiser& denoiser_;
  const std::unique_ptr<Recorder> recorder_;
  bool records_ = true;  // until it went wrong for good
  int failures_ = 0;     // since the last recording
  std::set<Key> unrecordable_;
  int64_t uses_ = 0;
  std::map<Sizes, Shared> shared_;
  // Of what was prepared lately: a batch mostly stays together.
  std::deque<std::pair<WeakTensor, Layers>> layers_;
  std::map<Key, std::unique_ptr<Entry>> entries_;  // go before the recorder
};

int RecordedDenoiser::State::recordings() const {
  return static_cast<int>(std::count_if(
      entries_.begin(), entries_.end(),
      [](const auto& entry) { return entry.second->recording != nullptr; }));
}

const RecordedDenoiser::State::Shared& RecordedDenoiser::State::Fill(
    const Sizes& sizes, const std::vector<at::Tensor>& prepared) {
  if (prepared.empty()) return shared_[sizes];
  const int64_t rows = prepared[0].size(0);
  const auto found = shared_.find(sizes);
  const bool fits = found != shared_.end() &&
                    found->second.tensors[0].size(0) >= RecordedRows(rows);
  if (!fits) {
    if (found != shared_.end() || shared_.size() == kMostPrepared) Forget();
    const int64_t kept = std::max(RecordedRows(rows), kPreparedRows);
    for (const at::Tensor& tensor : prepared) {
      shared_[sizes].tensors.push_back(Zeros(tensor, kept));
    }
  }
  Shared& shared = shared_[sizes];
  WeakTensor given(prepared[0].getIntrusivePtr());
  if (shared.copied == given) return shared;
  shared.copied.reset();  // whatever happens now, the old ones are gone
  std::vector<at::Tensor> to;
  for (const at::Tensor& tensor : shared.tensors) {
    to.push_back(tensor.narrow(0, 0, rows));
  }
  at::_foreach_copy_(to, prepared);
  shared.copied = std::move(given);
  return shared;
}

RecordedDenoiser::State::Entry& RecordedDenoiser::State::EntryFor(
    const Key& key, const at::Tensor& sample, const at::Tensor& times,
    const Shared& shared, const Layers& layers) {
  const auto found = entries_.find(key);
  if (found != entries_.end()) return *found->second;
  if (entries_.size() == kMostEntries) {
    entries_.erase(std::min_element(
        entries_.begin(), entries_.end(), [](const auto& a, const auto& b) {
          return a.second->last_used < b.second->last_used;
        }));
  }
  const int64_t rows = key.first;
  auto entry = std::make_unique<Entry>();
  entry->sample = Zeros(sample, rows);
  entry->times = Zeros(times, rows);
  for (const at::Tensor& tensor : shared.tensors) {
    entry->prepared.tensors.push_back(tensor.narrow(0, 0, rows));
  }
  if (layers != nullptr) {
    auto& all = entry->prepared.tensors;
    const auto first =
        all.end() - static_cast<std::ptrdiff_t>(TensorsOf(*layers).size());
    entry->prepared.adapters =
        EvalContext(std::make_shared<EvalContext::Layers>(
            LayersFrom(*layers, {first, all.end()})));
    all.erase(first, all.end());
  }
  return *(entries_[key] = std::move(entry));
}

RecordedDenoiser::State::Layers RecordedDenoiser::State::LayersOf(
    const Prepared& prepared) {
  if (prepared.adapters.empty() || prepared.tensors.empty()) return nullptr;
  WeakTensor given(prepared.tensors[0].getIntrusivePtr());
  for (const auto& [tensor, layers] : layers_) {
    if (tensor == given) return layers;
  }
  layers_.emplace_front(std::move(given),
                        StackByRow(prepared.adapters, prepared.rows));
  if (layers_.size() > kMostPrepared) layers_.pop_back();
  return layers_.front().second;
}

void RecordedDenoiser::State::Evaluate(Entry& entry) const {
  entry.prediction =
      denoiser_.Forward(entry.sample, entry.times, entry.prepared);
}

absl::Status RecordedDenoiser::State::TryToRecord(Entry& entry,
                                                  const at::Tensor& expected) {
  try {
    auto recording = recorder_->Record([&] { Evaluate(entry); });
    recording->Replay();
    const int64_t rows = expected.size(0);
    if (!IsNear(entry.prediction.narrow(0, 0, rows), expected)) {
      return absl::DataLossError("replays give other results");
    }
    entry.recording = std::move(recording);
    return absl::OkStatus();
  } catch (const std::exception&) {
    return StatusFromException("recording failed");
  }
}

// Leaves the prediction of the entry's inputs behind, recorded or not.
void RecordedDenoiser::State::Record(const Key& key, Entry& entry,
                                     int64_t rows) {
  Evaluate(entry);
  const at::Tensor evaluated = entry.prediction;
  const at::Tensor expected = evaluated.narrow(0, 0, rows);
  // Nothing can be compared with what is no number; another time.
  if (!IsFinite(expected)) return;
  const absl::Status recorded = TryToRecord(entry, expected);
  if (recorded.ok()) {
    failures_ = 0;
    return;
  }
  entry.prediction = evaluated;
  NotRecorded(key, entry, recorded);
}

void RecordedDenoiser::State::NotRecorded(const Key& key, Entry& entry,
                                          const absl::Status& why) {
  unrecordable_.insert(key);
  if (absl::IsResourceExhausted(why)) {
    // What it took until then is no use to anybody, and only goes with all
    // else. The others are recorded again.
    for (auto& [other_key, other] : entries_) {
      other->recording = nullptr;
      if (other.get() != &entry) other->prediction = at::Tensor();
    }
    recorder_->Reset();
    return;
  }
  spdlog::warn("an evaluation is not recorded: {}", std::string(why.message()));
  if (absl::IsDataLoss(why) || ++failures_ == kMostFailures) {
    spdlog::warn("no evaluation of this model is recorded any more");
    records_ = false;
  }
}

void RecordedDenoiser::State::Forget() {
  entries_.clear();
  shared_.clear();
  layers_.clear();
  recorder_->Reset();
}

at::Tensor RecordedDenoiser::State::ForwardKept(const at::Tensor& sample,
                                                const at::Tensor& times,
                                                const Prepared& prepared,
                                                const Layers& layers) {
  const int64_t rows = sample.size(0);
  std::vector<at::Tensor> all = prepared.tensors;
  if (layers != nullptr) {
    const auto deltas = TensorsOf(*layers);
    all.insert(all.end(), deltas.begin(), deltas.end());
  }
  Sizes sizes = RowSizes(all);
  if (layers != nullptr) sizes.push_back(NamesOf(*layers));
  const Shared& shared = Fill(sizes, all);
  const Sizes own = RowSizes({sample, times});
  sizes.insert(sizes.begin(), own.begin(), own.end());
  const Key key = {RecordedRows(rows), sizes};
  Entry& entry = EntryFor(key, sample, times, shared, layers);
  entry.last_used = ++uses_;
  entry.sample.narrow(0, 0, rows).copy_(sample);
  entry.times.narrow(0, 0, rows).copy_(times);
  if (entry.recording != nullptr) {
    entry.recording->Replay();
  } else if (entry.warm && unrecordable_.count(key) == 0) {
    Record(key, entry, rows);
  } else {
    Evaluate(entry);
    entry.warm = true;
  }
  return entry.prediction.narrow(0, 0, rows);
}

at::Tensor RecordedDenoiser::State::Forward(const at::Tensor& sample,
                                            const at::Tensor& times,
                                            const Prepared& prepared) {
  if (!records_ || prepared.steered()) {
    return denoiser_.Forward(sample, times, prepared);
  }
  try {
    const Layers layers = LayersOf(prepared);
    if (layers == nullptr && !prepared.adapters.empty()) {
      return denoiser_.Forward(sample, times, prepared);
    }
    const at::Tensor prediction = ForwardKept(sample, times, prepared, layers);
    if (!records_) Forget();
    return prediction;
  } catch (const std::exception&) {
    if (!absl::IsResourceExhausted(StatusFromException(""))) throw;
  }
  Forget();
  return denoiser_.Forward(sample, times, prepared);
}

RecordedDenoiser::RecordedDenoiser(std::unique_ptr<const Denoiser> denoiser,
                                   std::unique_ptr<Recorder> recorder)
    : denoiser_(std::move(denoiser)),
      state_(std::make_unique<State>(*denoiser_, std::move(recorder))) {}

RecordedDenoiser::~RecordedDenoiser() = default;

at::Tensor RecordedDenoiser::Forward(const at::Tensor& sample,
                                     const at::Tensor& times,
                                     const Prepared& prepared) const {
  return state_->Forward(sample, times, prepared);
}

int RecordedDenoiser::recordings() const { return state_->recordings(); }

void RecordedDenoiser::ForgetRecordings() const { state_->Forget(); }

}  // namespace genzo
