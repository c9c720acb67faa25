#ifndef GENZO_WORKER_UPSCALE_RRDB_NET_H_
#define GENZO_WORKER_UPSCALE_RRDB_NET_H_

#include <optional>
#include <string>
#include <vector>

#include "worker/nn/layers.h"
#include "worker/upscale/upscaler.h"
#include "worker/weights/renamed_tensors.h"
#include "worker/weights/weights.h"

namespace genzo {

// Sizes of an RRDBNet, from the shapes of its tensors.
struct RrdbNetConfig {
  int64_t features = 64;
  int64_t growth = 32;  // channels that each layer of a block adds
  int64_t blocks = 23;
  int64_t doublings = 2;  // of the side, at the end
  int64_t unshuffle = 1;  // pixels of a side that become channels first
};

// A network as a file has it: the sizes, and its names here by those there.
struct RrdbNetFile {
  RrdbNetConfig config;
  RenameTable names;
};

// nullopt if `source` is no such network. Knows the names of BasicSR
// (conv_first), of ESRGAN (RRDB_trunk) and of the first ESRGAN (model.0), each
// also under `params_ema`, `params` or `state_dict`.
std::optional<RrdbNetFile> ReadRrdbNet(const TensorSource& source);

UpscalerTraits TraitsOf(const RrdbNetConfig& config);

// ESRGAN's generator as Real-ESRGAN uses it (arXiv:1809.00219,
// arXiv:2107.10833): residual blocks in residual blocks of densely connected
// convolutions, then convolutions between doublings of the side. The x2
// network is the x4 one behind a pixel unshuffle.
class RrdbNet : public Upscaler {
 public:
  // Takes its tensors from `weights`, whose Finish() then tells of faults.
  RrdbNet(const RrdbNetConfig& config, const Weights& weights,
          const c10::Device& device);

  const UpscalerTraits& traits() const override { return traits_; }
  at::Tensor Enlarge(const at::Tensor& pixels) const override;
  const c10::Device& device() const override { return device_; }

 private:
  // Five convolutions, each of all that came before it.
  struct DenseBlock {
    DenseBlock(const Weights& weights, int64_t features, int64_t growth);
    at::Tensor forward(const at::Tensor& x) const;  // [1, features, H, W]

    std::vector<Conv2d> convs;
  };

  const RrdbNetConfig config_;
  const UpscalerTraits traits_;
  const c10::Device device_;
  Conv2d conv_first_;
  std::vector<DenseBlock> blocks_;  // three make a block of the paper's
  Conv2d conv_body_;
  std::vector<Conv2d> conv_ups_;
  Conv2d conv_hr_, conv_last_;
};

}  // namespace genzo

#endif  // GENZO_WORKER_UPSCALE_RRDB_NET_H_
