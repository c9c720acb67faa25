#ifndef GENZO_WORKER_TEXT_T5_ENCODER_H_
#define GENZO_WORKER_TEXT_T5_ENCODER_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "worker/nn/activation.h"
#include "worker/nn/layers.h"
#include "worker/weights/text_file.h"
#include "worker/weights/weights.h"

namespace genzo {

// Sizes of a T5 encoder, from its config.json.
struct T5Config {
  int64_t vocab_size = 32128;
  int64_t d_model = 512;
  int64_t d_kv = 64;  // width of a head; their sum need not be d_model
  int64_t d_ff = 2048;
  int64_t num_layers = 6;
  int64_t num_heads = 8;
  int64_t relative_attention_num_buckets = 32;
  int64_t relative_attention_max_distance = 128;
  double layer_norm_epsilon = 1e-6;
  Activation activation = Activation::kGeluTanh;
  bool gated = true;  // as from T5 1.1 on
};

// Reads a component's config.json; the message of an error names file and key.
absl::StatusOr<T5Config> ReadT5Config(const TextFile& file);

// The encoder of T5 (Raffel et al., arXiv:1910.10683; from 1.1 on with gated
// GELU, arXiv:2002.05202; reference: transformers' T5EncoderModel). Places are
// told by a bias of their distance alone. Immutable after construction; forward
// may be called by any thread.
class T5Encoder {
 public:
  // Takes its tensors from `weights`, whose Finish() then tells of faults.
  T5Encoder(const T5Config& config, const Weights& weights);

  // ids [B, L] int64 on the weights' device, values below vocab_size. Returns
  // the hidden states [B, L, d_model] of the weights' type. Every token sees
  // every other, padding too, as in the image pipelines that use it.
  at::Tensor forward(const at::Tensor& ids) const;

 private:
  // x / sqrt(mean(x^2)) * weight, from float32 to the weight's type.
  struct Norm {
    Norm(const Weights& weights, const T5Config& config);
    at::Tensor forward(const at::Tensor& x) const;

    at::Tensor weight;
    double eps;
  };

  struct Block {
    Block(const T5Config& config, const Weights& weights);
    // x [B, L, d_model] float32, bias [1, heads, L, L].
    at::Tensor forward(at::Tensor x, const at::Tensor& bias) const;

    int64_t num_heads;
    Norm attention_norm;
    Linear q, k, v, o;
    Norm ff_norm;
    Activation activation;
    Linear wi;                   // wi_0 where it is gated
    std::optional<Linear> gate;  // wi_1
    Linear wo;
  };

  // [1, heads, L, L] of the weights' type, added to the scores.
  at::Tensor PositionBias(int64_t length) const;

  const T5Config config_;
  at::Tensor shared_;                   // [vocab_size, d_model]
  at::Tensor relative_attention_bias_;  // [buckets, heads]
  std::vector<Block> blocks_;
  Norm final_layer_norm_;
};

}  // namespace genzo

#endif  // GENZO_WORKER_TEXT_T5_ENCODER_H_
