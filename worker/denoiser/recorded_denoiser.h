#ifndef GENZO_WORKER_DENOISER_RECORDED_DENOISER_H_
#define GENZO_WORKER_DENOISER_RECORDED_DENOISER_H_

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <tuple>
#include <vector>

#include "ATen/core/Tensor.h"
#include "absl/status/status.h"
#include "c10/core/UndefinedTensorImpl.h"
#include "c10/util/intrusive_ptr.h"
#include "worker/kernels/cuda_backend.h"
#include "worker/nn/attention.h"

namespace genzo {

// Rows of the recording that serves `rows`: every number up to 4, every even
// one up to 16, then every fourth. Few kinds, and at most a fifth more rows.
int64_t RecordedRows(int64_t rows);

// A denoiser whose evaluations are recorded once for each size and number of
// rows and then replayed: a U-Net is a thousand kernels, and the CPU takes
// longer to launch them than a fast device to run them. The first evaluation of
// a kind prepares kernels, the second is recorded and compared, replays follow.
// A device that cannot record, or replays something else, goes on as if this
// class were not there, with one warning. For one thread at a time, on one
// stream.
class RecordedDenoiser {
 public:
  // sample [B, C, H, W], times [B, T] float32, context [B, M, D] a layer ->
  // prediction of sample's shape, as UNet2DConditionModel::forward().
  using Denoise = std::function<at::Tensor(const at::Tensor& sample,
                                           const at::Tensor& times,
                                           const std::vector<KeyValues>&)>;

  RecordedDenoiser(Denoise denoise, std::unique_ptr<Recorder> recorder);
  ~RecordedDenoiser();

  // What `denoise` gives, with rows added to fill a recording. All on the
  // device; the result is good until the next call. Exceptions are those of
  // `denoise`; where memory is missing, all that is kept here is given up and
  // `denoise` asked once more.
  at::Tensor Run(const at::Tensor& sample, const at::Tensor& times,
                 const std::vector<KeyValues>& context);

  // Kinds that are replayed.
  int recordings() const;

  // Gives up all that is kept here; recordings are made anew.
  void Forget();

 private:
  // One kind of evaluation and the memory that it works on.
  struct Entry;
  // Rows, height, width.
  using Key = std::tuple<int64_t, int64_t, int64_t>;
  // Tells a tensor from others without keeping its memory.
  using WeakTensor =
      c10::weak_intrusive_ptr<at::TensorImpl, at::UndefinedTensorImpl>;

  void FillContext(const std::vector<KeyValues>& context);
  Entry& EntryFor(const Key& key, const at::Tensor& sample,
                  const at::Tensor& times);
  at::Tensor RunKept(const at::Tensor& sample, const at::Tensor& times,
                     const std::vector<KeyValues>& context);
  void Evaluate(Entry& entry);
  void Record(const Key& key, Entry& entry, int64_t rows);
  absl::Status TryToRecord(Entry& entry, const at::Tensor& expected);
  void NotRecorded(const Key& key, Entry& entry, const absl::Status& why);

  const Denoise denoise_;
  const std::unique_ptr<Recorder> recorder_;
  bool records_ = true;  // until it went wrong for good
  int failures_ = 0;     // since the last recording
  std::set<Key> unrecordable_;
  int64_t uses_ = 0;
  // What all recordings read, each as many rows as it has; texts are most of
  // what an evaluation takes in.
  std::vector<KeyValues> context_;
  // Of the contexts that were copied last: a batch mostly stays together from
  // step to step. Contexts are made whole, so one tensor stands for all.
  WeakTensor copied_{at::Tensor().getIntrusivePtr()};
  std::map<Key, std::unique_ptr<Entry>> entries_;  // go before the recorder
};

}  // namespace genzo

#endif  // GENZO_WORKER_DENOISER_RECORDED_DENOISER_H_
