#ifndef GENZO_WORKER_DENOISER_MMDIT_H_
#define GENZO_WORKER_DENOISER_MMDIT_H_

#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "worker/denoiser/denoiser.h"
#include "worker/denoiser/joint_transformer.h"
#include "worker/denoiser/timestep_table.h"
#include "worker/nn/timestep_embedding.h"
#include "worker/weights/text_file.h"

namespace genzo {

// Sizes of a multimodal diffusion transformer, from its config.json.
struct MmditConfig {
  int64_t in_channels = 16;
  int64_t out_channels = 16;
  int64_t sample_size = 128;  // of a latent's side
  int64_t patch_size = 2;
  int64_t num_layers = 18;
  int64_t joint_attention_dim = 4096;       // of text tokens
  int64_t pooled_projection_dim = 2048;     // of texts' vectors
  int64_t pos_embed_max_size = 96;          // patches of a side
  std::set<int64_t> dual_attention_layers;  // also attend to the image alone
  HeadsConfig heads;

  int64_t width() const { return heads.width; }
  // Of a latent's side.
  int64_t max_size() const { return pos_embed_max_size * patch_size; }
};

// Reads a component's config.json. UNIMPLEMENTED or INVALID_ARGUMENT name file,
// key and value.
absl::StatusOr<MmditConfig> ReadMmditConfig(const TextFile& file);

// The network of Stable Diffusion 3 (Esser et al., arXiv:2403.03206, figure 2)
// and 3.5 (MMDiT-X), whose first layers have a second attention; reference:
// diffusers' SD3Transformer2DModel. Text and image have weights of their own
// and attend to each other. Predicts the flow from sample to noise.
//
// Takes tokens [R, L, joint_attention_dim] and pooled [R,
// pooled_projection_dim]; prepares the embedded tokens [R, L, width] and the
// embedded vector [R, width]. Samples have sides that are multiples of
// patch_size, up to max_size().
class Mmdit : public Denoiser {
 public:
  // Takes its tensors from `weights`, whose Finish() then tells of faults.
  Mmdit(const MmditConfig& config, const Weights& weights);

  absl::StatusOr<PreparedRef> Prepare(
      const Conditioning& conditioning) const override;
  at::Tensor EmbedTimes(const std::vector<float>& times) const override {
    return times_.Rows(times);
  }
  at::Tensor Forward(const at::Tensor& sample, const at::Tensor& times,
                     const Prepared& prepared) const override;
  Placement placement() const override;
  std::vector<std::string> IdleLayers() const override;
  std::vector<std::string> SelfAttentions() const override;

 private:
  // Both streams of tokens: the image's, the text's.
  struct Streams {
    at::Tensor x, text;
  };

  struct Block {
    // The last block leaves the text as it is, nobody reads it.
    Block(const Weights& weights, const MmditConfig& config, bool dual,
          bool last);
    // vector [B, width] after its activation.
    void forward(Streams& streams, const at::Tensor& vector,
                 const Prepared& prepared) const;
    // Text and image together: [B, N + L, width], the image first.
    at::Tensor Attend(const QueryKeyValue& all, int64_t places,
                      const RowEdits& edits) const;
    // The image alone: [B, N, width].
    at::Tensor AttendAgain(const at::Tensor& x, const Prepared& prepared) const;
    std::string attention() const { return name + ".attn"; }
    std::string second_attention() const { return name + ".attn2"; }

    std::string name;
    int64_t heads;
    bool last;
    Modulation norm1, norm1_context;
    StreamProjection image, text;
    Linear to_out;
    std::optional<Linear> to_add_out;
    std::optional<StreamProjection> image2;
    std::optional<Linear> to_out2;
    FeedForward ff;
    std::optional<FeedForward> ff_context;
  };

  // The middle h x w of the table of positions: [1, h * w, width].
  at::Tensor Positions(int64_t h, int64_t w) const;

  const MmditConfig config_;
  Linear patch_embedding_;
  at::Tensor pos_embed_;  // [1, pos_embed_max_size ^ 2, width]
  TimestepEmbedding timestep_embedder_;
  TimestepEmbedding text_embedder_;
  Linear context_embedder_;
  std::vector<Block> transformer_blocks_;
  ModulatedOutput output_;
  mutable TimestepTable times_;
};

}  // namespace genzo

#endif  // GENZO_WORKER_DENOISER_MMDIT_H_
