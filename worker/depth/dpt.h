#ifndef GENZO_WORKER_DEPTH_DPT_H_
#define GENZO_WORKER_DEPTH_DPT_H_

#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "worker/depth/bit_backbone.h"
#include "worker/nn/layers.h"
#include "worker/weights/text_file.h"

namespace genzo {

// Sizes of a DPT, from its config.json. The lists have an entry for each of the
// four features that are fused.
struct DptConfig {
  int64_t hidden_size = 768;
  int64_t num_hidden_layers = 12;
  int64_t num_attention_heads = 12;
  int64_t intermediate_size = 3072;
  double layer_norm_eps = 1e-12;
  bool qkv_bias = true;
  int64_t image_size = 384;  // of a side, in pixels
  int64_t patch_size = 16;
  int64_t num_channels = 3;
  std::vector<int64_t> backbone_out_indices = {2, 5, 8, 11};
  std::string readout_type = "project";
  std::vector<float> reassemble_factors = {4, 2, 1, 0.5};
  std::vector<int64_t> neck_hidden_sizes = {96, 192, 384, 768};
  int64_t fusion_hidden_size = 256;
  std::optional<BitConfig> backbone;  // of a hybrid

  int64_t grid() const { return image_size / patch_size; }
  // Features that are the backbone's rather than a layer's.
  size_t backbone_features() const { return backbone.has_value() ? 2 : 0; }
};

// Reads a component's config.json. UNIMPLEMENTED or INVALID_ARGUMENT name file,
// key and value.
absl::StatusOr<DptConfig> ReadDptConfig(const TextFile& file);

// Tells how near each place of a picture is (Ranftl et al., arXiv:2103.13413;
// reference: transformers' DPTForDepthEstimation): a vision transformer, over
// patches or over what a residual network makes of them, whose layers are
// fused from coarse to fine. Immutable; any thread may call it.
class Dpt {
 public:
  // Takes its tensors from `weights`, whose Finish(IgnoredTensors()) then tells
  // of faults.
  Dpt(const DptConfig& config, const Weights& weights);

  // What files hold that no depth is made of.
  static const std::set<std::string>& IgnoredTensors();

  // pixels [B, 3, H, W] in [-1, 1] of any size -> [B, 1, image_size,
  // image_size], greater where it is nearer.
  at::Tensor forward(const at::Tensor& pixels) const;

 private:
  struct Layer {
    Layer(const DptConfig& config, const Weights& weights);
    at::Tensor forward(at::Tensor x) const;  // [B, L, hidden_size]

    int64_t heads;
    LayerNorm before, after;
    Linear query, key, value, dense, intermediate, output;
  };

  // From a layer's tokens to a feature map.
  struct Reassemble {
    Reassemble(const DptConfig& config, const Weights& weights, int64_t index);
    at::Tensor forward(const at::Tensor& tokens, int64_t grid) const;

    std::string readout_type;
    float factor;
    std::optional<Linear> readout;
    Conv2d projection;
    std::optional<Conv2d> smaller;
    at::Tensor larger_weight, larger_bias;
  };

  struct Residual {
    Residual(const Weights& weights, int64_t width);
    at::Tensor forward(const at::Tensor& x) const;

    Conv2d convolution1, convolution2;
  };

  struct Fusion {
    Fusion(const Weights& weights, int64_t width, bool is_first);
    // `fused` is of the coarser features, undefined for the first.
    at::Tensor forward(const at::Tensor& fused,
                       const at::Tensor& feature) const;

    std::optional<Residual> residual_layer1;
    Residual residual_layer2;
    Conv2d projection;
  };

  at::Tensor Embed(const at::Tensor& pixels,
                   std::vector<at::Tensor>& features) const;

  const DptConfig config_;
  std::optional<BitBackbone> backbone_;
  at::Tensor patch_weight_, patch_bias_, cls_token_, position_embeddings_;
  std::vector<Layer> layers_;
  std::vector<Reassemble> reassemble_;
  std::vector<Conv2d> convs_;
  std::vector<Fusion> fusion_;
  Conv2d head_0_, head_2_, head_4_;
};

}  // namespace genzo

#endif  // GENZO_WORKER_DEPTH_DPT_H_
