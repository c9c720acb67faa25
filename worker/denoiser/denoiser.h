#ifndef GENZO_WORKER_DENOISER_DENOISER_H_
#define GENZO_WORKER_DENOISER_DENOISER_H_

#include <compare>
#include <cstdint>
#include <string>
#include <vector>

#include "ATen/core/Tensor.h"
#include "absl/status/statusor.h"
#include "worker/denoiser/conditioning.h"
#include "worker/denoiser/prepared.h"
#include "worker/device/placement.h"

namespace genzo {

class Denoiser;

// Evaluations with equal keys may share one call of the denoiser. What the
// scheduler calls a shape. A value.
struct BatchKey {
  const Denoiser* denoiser = nullptr;
  std::vector<int64_t> sizes;  // of a row's inputs

  auto operator<=>(const BatchKey&) const = default;
};

// Equal for equal keys. The denoiser's address tells a model that was loaded
// again from the one before.
std::string NameOf(const BatchKey& key);

// A network that predicts. Immutable; LibTorch's exceptions leave it as they
// are, so callers wrap it at their seam. Prepare() may be called by any thread,
// the rest by one thread at a time.
//
// An evaluation is two calls: EmbedTimes(), whose rows are kept from step to
// step, and Forward(), a function of tensors on the device and of nothing else,
// so that it can be recorded.
class Denoiser {
 public:
  virtual ~Denoiser() = default;

  // All that depends on the conditioning alone. INVALID_ARGUMENT names what
  // this network does not take, or does not take in that shape.
  virtual absl::StatusOr<PreparedRef> Prepare(
      const Conditioning& conditioning) const = 0;

  // `sample` are the sizes [C, ...] of one row. By default the sizes of the
  // sample and of all that was prepared.
  virtual BatchKey KeyOf(at::IntArrayRef sample,
                         const Prepared& prepared) const;

  // What the network makes of times alone, a row a time: [B, ...] on its
  // device. Times are those of the model's training, in [0, timesteps).
  virtual at::Tensor EmbedTimes(const std::vector<float>& times) const = 0;

  // sample [B, C, ...] and a row a sample of the rest, all on the network's
  // device, sample of its dtype -> prediction [B, C', ...] there. The result
  // is good until the next call.
  virtual at::Tensor Forward(const at::Tensor& sample, const at::Tensor& times,
                             const Prepared& prepared) const = 0;

  virtual Placement placement() const = 0;

  // Layers that may be idle for single rows, in the network's order, by the
  // names that RowEdit has for them.
  virtual std::vector<std::string> IdleLayers() const { return {}; }
  // Likewise the attentions of places to each other; where they are all that
  // may be idle, those.
  virtual std::vector<std::string> SelfAttentions() const {
    return IdleLayers();
  }

  // Kinds of evaluations that are replayed rather than run, and how to give
  // their memory back; they are made anew. Nothing unless recorded.
  virtual int recordings() const { return 0; }
  virtual void ForgetRecordings() const {}
};

// Samples as a network of that placement reads them.
at::Tensor BroughtTo(const Placement& placement, const at::Tensor& sample);

// One evaluation. sample [B, C, ...] float32 wherever the walk lives, a time
// and a prepared row each -> prediction [B, C', ...] float32 beside the sample.
at::Tensor Predict(const Denoiser& denoiser, const at::Tensor& sample,
                   const std::vector<float>& times, const Prepared& prepared);

// `prepared` with its first row `rows` times, for measurements.
Prepared RepeatFirstRow(const Prepared& prepared, int rows);

}  // namespace genzo

#endif  // GENZO_WORKER_DENOISER_DENOISER_H_
