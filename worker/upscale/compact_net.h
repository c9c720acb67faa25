#ifndef GENZO_WORKER_UPSCALE_COMPACT_NET_H_
#define GENZO_WORKER_UPSCALE_COMPACT_NET_H_

#include <optional>
#include <string>
#include <vector>

#include "worker/nn/layers.h"
#include "worker/upscale/upscaler.h"
#include "worker/weights/weights.h"

namespace genzo {

// Sizes of an SRVGGNetCompact, from the shapes of its tensors.
struct CompactNetConfig {
  std::string wrapper;  // "params": where the tensors lie; mostly empty
  int64_t features = 64;
  int64_t convolutions = 16;  // between the first and the last
  int64_t scale = 4;
};

// nullopt if `source` is no such network.
std::optional<CompactNetConfig> ReadCompactNet(const TensorSource& source);

UpscalerTraits TraitsOf(const CompactNetConfig& config);

// Real-ESRGAN's small network (realesr-animevideov3, realesr-general-x4v3):
// plain convolutions with PReLUs, a pixel shuffle, and the picture itself,
// enlarged, added to it.
class CompactNet : public Upscaler {
 public:
  // Takes its tensors from `weights`, whose Finish() then tells of faults.
  CompactNet(const CompactNetConfig& config, const Weights& weights,
             const c10::Device& device);

  const UpscalerTraits& traits() const override { return traits_; }
  at::Tensor Enlarge(const at::Tensor& pixels) const override;
  const c10::Device& device() const override { return device_; }

 private:
  const CompactNetConfig config_;
  const UpscalerTraits traits_;
  const c10::Device device_;
  std::vector<Conv2d> convs_;
  std::vector<at::Tensor> slopes_;  // [features], behind each but the last
};

}  // namespace genzo

#endif  // GENZO_WORKER_UPSCALE_COMPACT_NET_H_
