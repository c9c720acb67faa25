#include "worker/denoiser/recorded_denoiser.h"

#include <algorithm>
#include <exception>

#include "ATen/TensorOperators.h"
#include "ATen/ops/_foreach_copy.h"
#include "ATen/ops/isfinite.h"
#include "ATen/ops/zeros.h"
#include "base/logging.h"
#include "worker/device/exception_status.h"

namespace genzo {
namespace {

// Rows and sizes in use at once; each keeps its inputs and some megabytes of
// the driver's.
constexpr size_t kMostEntries = 32;

// Rows of contexts that are kept from the start: more of them need other
// memory, and what was recorded with this is recorded anew.
constexpr int64_t kContextRows = 16;

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

}  // namespace

struct RecordedDenoiser::Entry {
  at::Tensor sample;
  at::Tensor times;
  std::vector<KeyValues> context;  // the first rows of the common one
  at::Tensor prediction;
  std::unique_ptr<Recording> recording;
  bool prepared = false;  // it was evaluated before
  int64_t last_used = 0;
};

int64_t RecordedRows(int64_t rows) {
  const int64_t step = rows <= 4 ? 1 : rows <= 16 ? 2 : 4;
  return (rows + step - 1) / step * step;
}

RecordedDenoiser::RecordedDenoiser(Denoise denoise,
                                   std::unique_ptr<Recorder> recorder)
    : denoise_(std::move(denoise)), recorder_(std::move(recorder)) {}

RecordedDenoiser::~RecordedDenoiser() = default;

int RecordedDenoiser::recordings() const {
  return static_cast<int>(std::count_if(
      entries_.begin(), entries_.end(),
      [](const auto& entry) { return entry.second->recording != nullptr; }));
}

void RecordedDenoiser::FillContext(const std::vector<KeyValues>& context) {
  if (context.empty()) return;
  const int64_t rows = context[0].k.size(0);
  if (context_.empty() || context_[0].k.size(0) < RecordedRows(rows)) {
    Forget();
    const int64_t kept = std::max(RecordedRows(rows), kContextRows);
    for (const KeyValues& layer : context) {
      context_.push_back({Zeros(layer.k, kept), Zeros(layer.v, kept)});
    }
  }
  WeakTensor given(context[0].k.getIntrusivePtr());
  if (copied_ == given) return;
  copied_.reset();  // whatever happens now, the old ones are gone
  std::vector<at::Tensor> to;
  std::vector<at::Tensor> from;
  for (size_t layer = 0; layer < context_.size(); ++layer) {
    to.push_back(context_[layer].k.narrow(0, 0, rows));
    to.push_back(context_[layer].v.narrow(0, 0, rows));
    from.push_back(context[layer].k);
    from.push_back(context[layer].v);
  }
  at::_foreach_copy_(to, from);
  copied_ = std::move(given);
}

RecordedDenoiser::Entry& RecordedDenoiser::EntryFor(const Key& key,
                                                    const at::Tensor& sample,
                                                    const at::Tensor& times) {
  const auto found = entries_.find(key);
  if (found != entries_.end()) return *found->second;
  if (entries_.size() == kMostEntries) {
    entries_.erase(std::min_element(
        entries_.begin(), entries_.end(), [](const auto& a, const auto& b) {
          return a.second->last_used < b.second->last_used;
        }));
  }
  const int64_t rows = std::get<0>(key);
  auto entry = std::make_unique<Entry>();
  entry->sample = Zeros(sample, rows);
  entry->times = Zeros(times, rows);
  for (const KeyValues& layer : context_) {
    entry->context.push_back(
        {layer.k.narrow(0, 0, rows), layer.v.narrow(0, 0, rows)});
  }
  return *(entries_[key] = std::move(entry));
}

void RecordedDenoiser::Evaluate(Entry& entry) {
  entry.prediction = denoise_(entry.sample, entry.times, entry.context);
}

absl::Status RecordedDenoiser::TryToRecord(Entry& entry,
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
void RecordedDenoiser::Record(const Key& key, Entry& entry, int64_t rows) {
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

void RecordedDenoiser::NotRecorded(const Key& key, Entry& entry,
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

void RecordedDenoiser::Forget() {
  entries_.clear();
  context_.clear();
  copied_.reset();
  recorder_->Reset();
}

at::Tensor RecordedDenoiser::RunKept(const at::Tensor& sample,
                                     const at::Tensor& times,
                                     const std::vector<KeyValues>& context) {
  const int64_t rows = sample.size(0);
  const Key key = {RecordedRows(rows), sample.size(2), sample.size(3)};
  FillContext(context);
  Entry& entry = EntryFor(key, sample, times);
  entry.last_used = ++uses_;
  entry.sample.narrow(0, 0, rows).copy_(sample);
  entry.times.narrow(0, 0, rows).copy_(times);
  if (entry.recording != nullptr) {
    entry.recording->Replay();
  } else if (entry.prepared && unrecordable_.count(key) == 0) {
    Record(key, entry, rows);
  } else {
    Evaluate(entry);
    entry.prepared = true;
  }
  return entry.prediction.narrow(0, 0, rows);
}

at::Tensor RecordedDenoiser::Run(const at::Tensor& sample,
                                 const at::Tensor& times,
                                 const std::vector<KeyValues>& context) {
  if (!records_) return denoise_(sample, times, context);
  try {
    const at::Tensor prediction = RunKept(sample, times, context);
    if (!records_) Forget();
    return prediction;
  } catch (const std::exception&) {
    if (!absl::IsResourceExhausted(StatusFromException(""))) throw;
  }
  Forget();
  return denoise_(sample, times, context);
}

}  // namespace genzo
