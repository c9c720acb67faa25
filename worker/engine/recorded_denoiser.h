#ifndef GENZO_WORKER_ENGINE_RECORDED_DENOISER_H_
#define GENZO_WORKER_ENGINE_RECORDED_DENOISER_H_

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <tuple>
#include <vector>

#include "ATen/core/Tensor.h"
#include "worker/kernels/cuda_backend.h"
#include "worker/model/attention.h"

namespace genzo {

// Rows of the recording that serves `rows`: the next of 1, 2, 3, 4, 6, 8, 12,
// 16, 24, ... Few sizes, and never a third of the rows for nothing.
int64_t RecordedRows(int64_t rows);

// A denoiser whose evaluations are recorded once for each size and number of
// rows and then replayed: a U-Net is a thousand kernels, and the CPU takes
// longer to launch them than a fast device to run them. The first evaluation of
// a kind prepares kernels, the second is recorded and compared, replays follow.
// A device that cannot record, or replays something else, goes on without, with
// one warning. For one thread at a time, on one stream.
class RecordedDenoiser {
 public:
  // sample [B, C, H, W], times [B, T] float32, context [B, M, D] a layer ->
  // prediction of sample's shape, as UNet2DConditionModel::forward().
  using Denoise = std::function<at::Tensor(const at::Tensor& sample,
                                           const at::Tensor& times,
                                           const std::vector<KeyValues>&)>;

  RecordedDenoiser(Denoise denoise, std::unique_ptr<Recorder> recorder);
  ~RecordedDenoiser();

  // What `denoise` gives, with rows added to fill a recording. sample may be
  // pinned memory of the CPU; the rest is on the device. The result is good
  // until the next call.
  at::Tensor Run(const at::Tensor& sample, const at::Tensor& times,
                 const std::vector<KeyValues>& context);

 private:
  // One kind of evaluation and the memory that it works on.
  struct Entry;
  // Rows, height, width.
  using Key = std::tuple<int64_t, int64_t, int64_t>;

  Entry& EntryFor(const at::Tensor& sample, const at::Tensor& times,
                  const std::vector<KeyValues>& context);
  void Evaluate(Entry& entry);
  void Record(Entry& entry);

  const Denoise denoise_;
  const std::unique_ptr<Recorder> recorder_;
  bool records_ = true;  // until a recording failed
  int64_t uses_ = 0;
  std::map<Key, std::unique_ptr<Entry>> entries_;
};

}  // namespace genzo

#endif  // GENZO_WORKER_ENGINE_RECORDED_DENOISER_H_
