#include "worker/engine/recorded_denoiser.h"

#include <algorithm>
#include <exception>

#include "ATen/ops/_foreach_copy.h"
#include "ATen/ops/zeros.h"
#include "base/logging.h"
#include "c10/core/UndefinedTensorImpl.h"
#include "c10/util/intrusive_ptr.h"

namespace genzo {
namespace {

// Tells a tensor from others without keeping its memory.
using WeakTensor =
    c10::weak_intrusive_ptr<at::TensorImpl, at::UndefinedTensorImpl>;

// Rows and sizes in use at once; each keeps its inputs and some megabytes of
// the driver's.
constexpr size_t kMostEntries = 32;

// A replay that does something else is far off; kernels chosen anew may round
// another way.
constexpr double kBound = 0.02;

bool IsNear(const at::Tensor& actual, const at::Tensor& expected) {
  const at::Tensor distance = (actual - expected).abs().max().to(at::kFloat);
  const at::Tensor bound = kBound * expected.abs().max().to(at::kFloat);
  return (distance <= bound).item<bool>();  // false for NaN
}

at::Tensor EmptyRows(const at::Tensor& like, int64_t rows,
                     const at::TensorOptions& options) {
  std::vector<int64_t> sizes = like.sizes().vec();
  sizes[0] = rows;
  // Rows that only fill up must hold numbers: others can be slow to compute.
  return at::zeros(sizes, options);
}

}  // namespace

struct RecordedDenoiser::Entry {
  at::Tensor sample;
  at::Tensor times;
  std::vector<KeyValues> context;
  at::Tensor prediction;
  std::unique_ptr<Recording> recording;
  bool prepared = false;  // it was evaluated before
  int64_t last_used = 0;
  // Of the contexts that were copied last: a batch mostly stays together from
  // step to step. Contexts are made whole, so one tensor stands for all.
  WeakTensor copied{at::Tensor().getIntrusivePtr()};

  void Fill(const at::Tensor& new_sample, const at::Tensor& new_times,
            const std::vector<KeyValues>& new_context) {
    const int64_t rows = new_sample.size(0);
    sample.narrow(0, 0, rows).copy_(new_sample, /*non_blocking=*/true);
    times.narrow(0, 0, rows).copy_(new_times);
    if (context.empty()) return;
    WeakTensor given(new_context[0].k.getIntrusivePtr());
    if (copied == given) return;
    std::vector<at::Tensor> to;
    std::vector<at::Tensor> from;
    for (size_t layer = 0; layer < context.size(); ++layer) {
      to.push_back(context[layer].k.narrow(0, 0, rows));
      to.push_back(context[layer].v.narrow(0, 0, rows));
      from.push_back(new_context[layer].k);
      from.push_back(new_context[layer].v);
    }
    at::_foreach_copy_(to, from);
    copied = std::move(given);
  }
};

int64_t RecordedRows(int64_t rows) {
  int64_t power = 1;
  while (power < rows) power *= 2;
  const int64_t between = power / 4 * 3;
  return between >= rows ? between : power;
}

RecordedDenoiser::RecordedDenoiser(Denoise denoise,
                                   std::unique_ptr<Recorder> recorder)
    : denoise_(std::move(denoise)), recorder_(std::move(recorder)) {}

RecordedDenoiser::~RecordedDenoiser() = default;

RecordedDenoiser::Entry& RecordedDenoiser::EntryFor(
    const at::Tensor& sample, const at::Tensor& times,
    const std::vector<KeyValues>& context) {
  const Key key = {RecordedRows(sample.size(0)), sample.size(2),
                   sample.size(3)};
  const auto found = entries_.find(key);
  if (found != entries_.end()) return *found->second;
  if (entries_.size() == kMostEntries) {
    entries_.erase(std::min_element(
        entries_.begin(), entries_.end(), [](const auto& a, const auto& b) {
          return a.second->last_used < b.second->last_used;
        }));
  }
  auto entry = std::make_unique<Entry>();
  const int64_t rows = std::get<0>(key);
  const at::Device device = times.device();
  entry->sample = EmptyRows(sample, rows, sample.options().device(device));
  entry->times = EmptyRows(times, rows, times.options());
  for (const KeyValues& layer : context) {
    entry->context.push_back({EmptyRows(layer.k, rows, layer.k.options()),
                              EmptyRows(layer.v, rows, layer.v.options())});
  }
  return *(entries_[key] = std::move(entry));
}

void RecordedDenoiser::Evaluate(Entry& entry) {
  entry.prediction = denoise_(entry.sample, entry.times, entry.context);
}

// Leaves the prediction of the entry's inputs behind, recorded or not.
void RecordedDenoiser::Record(Entry& entry) {
  Evaluate(entry);
  const at::Tensor expected = entry.prediction;
  try {
    entry.recording = recorder_->Record([&] { Evaluate(entry); });
    entry.recording->Replay();
    if (IsNear(entry.prediction, expected)) return;
    spdlog::warn("evaluations are not recorded: replays give other results");
  } catch (const std::exception& e) {
    spdlog::warn("evaluations are not recorded: {}", e.what());
  }
  records_ = false;
  entry.prediction = expected;
  for (auto& [key, other] : entries_) other->recording = nullptr;
}

at::Tensor RecordedDenoiser::Run(const at::Tensor& sample,
                                 const at::Tensor& times,
                                 const std::vector<KeyValues>& context) {
  Entry& entry = EntryFor(sample, times, context);
  entry.last_used = ++uses_;
  entry.Fill(sample, times, context);
  if (entry.recording != nullptr) {
    entry.recording->Replay();
  } else if (entry.prepared && records_) {
    Record(entry);
  } else {
    Evaluate(entry);
    entry.prepared = true;
  }
  return entry.prediction.narrow(0, 0, sample.size(0));
}

}  // namespace genzo
