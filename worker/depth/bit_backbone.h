#ifndef GENZO_WORKER_DEPTH_BIT_BACKBONE_H_
#define GENZO_WORKER_DEPTH_BIT_BACKBONE_H_

#include <cstdint>
#include <optional>
#include <vector>

#include "absl/status/statusor.h"
#include "worker/nn/layers.h"
#include "worker/weights/json_config.h"

namespace genzo {

// Sizes of a BiT residual network, one entry a stage.
struct BitConfig {
  int64_t num_channels = 3;
  int64_t embedding_size = 64;
  std::vector<int64_t> hidden_sizes = {256, 512, 1024, 2048};
  std::vector<int64_t> depths = {3, 4, 9};
  int64_t num_groups = 32;
};

// Reads the `backbone_config` of a DPT's config.json; its defaults are those of
// DPT-Hybrid. UNIMPLEMENTED for another padding or another kind of layer.
absl::StatusOr<BitConfig> ReadBitConfig(JsonConfig json);

// BiT with bottleneck layers and TensorFlow's "same" padding, as DPT-Hybrid
// begins (Kolesnikov et al., arXiv:1912.11370; reference: transformers'
// BitBackbone). Immutable; any thread may call it.
class BitBackbone {
 public:
  // How many pixels of a side are one place of the last stage.
  static constexpr int64_t kReduction = 16;

  BitBackbone(const BitConfig& config, const Weights& weights);

  // pixels [B, 3, H, W] -> the output of each stage, [B, hidden_size, h, w].
  std::vector<at::Tensor> forward(const at::Tensor& pixels) const;

 private:
  // A convolution whose weights are standardised by output (arXiv:1903.10520),
  // which happens once, here.
  struct Conv {
    Conv(const Weights& weights, int64_t in, int64_t out, int64_t kernel,
         int64_t stride);
    at::Tensor forward(const at::Tensor& x) const;

    at::Tensor weight;
    int64_t kernel, stride;
  };

  struct Layer {
    Layer(const BitConfig& config, const Weights& weights, int64_t in,
          int64_t out, int64_t stride, bool is_first);
    at::Tensor forward(const at::Tensor& x) const;

    Conv conv1, conv2, conv3;
    GroupNorm norm1, norm2, norm3;
    std::optional<Conv> downsample;
    std::optional<GroupNorm> downsample_norm;
  };

  Conv stem_;
  GroupNorm stem_norm_;
  std::vector<std::vector<Layer>> stages_;
};

}  // namespace genzo

#endif  // GENZO_WORKER_DEPTH_BIT_BACKBONE_H_
