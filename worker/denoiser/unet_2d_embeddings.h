#ifndef GENZO_WORKER_DENOISER_UNET_2D_EMBEDDINGS_H_
#define GENZO_WORKER_DENOISER_UNET_2D_EMBEDDINGS_H_

#include <cstdint>
#include <optional>
#include <vector>

#include "absl/status/status.h"
#include "worker/denoiser/conditioning.h"
#include "worker/nn/timestep_embedding.h"

namespace genzo {

// How a class or an embedding of the whole picture becomes a vector that is
// added to the timestep's.
enum class ClassEmbedding {
  kNone,
  kTable,       // a number chooses a row: the noise level of an upscaler
  kTimestep,    // a number, embedded as a timestep is
  kProjection,  // `pooled` through two layers: unCLIP's picture
};

// What a UNet2DConditionModel adds to its timestep's embedding.
struct UNetEmbeddingsConfig {
  TimestepProjection time_proj{};
  int64_t width = 0;           // of the embedding that the resnets see
  int64_t guidance_width = 0;  // of the embedded guidance scale; 0: none
  ClassEmbedding classes = ClassEmbedding::kNone;
  int64_t class_count = 0;       // kTable
  int64_t added_time_width = 0;  // of each of SDXL's numbers; 0: none
  int64_t projection_width = 0;  // of what SDXL's or kProjection's layers read
  Activation activation = Activation::kSilu;
};

// The vector that every resnet of a U-Net sees: the timestep's, to which SDXL
// adds the pooled text and the numbers of sizes and crops (arXiv:2307.01952,
// section 2.2), unCLIP the picture, upscalers their noise level, and
// consistency models the guidance scale (arXiv:2310.04378, section 4.2).
// Immutable; any thread may call it.
class UNetEmbeddings {
 public:
  // Takes its tensors from `weights`, whose Finish() then tells of faults.
  UNetEmbeddings(const UNetEmbeddingsConfig& config, const Weights& weights);

  // Whether times alone, and adapters, decide the result.
  bool OfTimesAlone() const { return !has_added() && !has_guidance(); }
  // Whether the times' share of it is another with these.
  bool AdaptedBy(const EvalContext& adapters) const {
    return time_.AdaptedBy(adapters);
  }

  // Appends what depends on the conditioning alone. Of `numbers` [R, N] it
  // takes SDXL's, behind them the class, behind that the guidance scale less
  // 1, whichever of them the network has. INVALID_ARGUMENT names what is
  // missing, too much, or of another size.
  absl::Status Prepare(const Conditioning& conditioning,
                       const EvalContext& adapters,
                       std::vector<at::Tensor>& prepared) const;

  // timesteps [B] float32 -> [B, ...], to be kept from step to step: what the
  // network makes of them, and behind that what it makes it of, for rows with
  // adapters.
  at::Tensor OfTimes(const at::Tensor& timesteps) const;

  // Where times alone decide: what OfTimes() gave -> [B, width], after its
  // activation, as the adapters have it.
  at::Tensor FromTimes(const at::Tensor& times,
                       const EvalContext& adapters) const;

  // What OfTimes() and Prepare() gave, a row a sample -> [B, width], after its
  // activation. Takes its tensors off the end of the `count` first ones of
  // `prepared`. On a CPU a row's bits do not depend on the others.
  at::Tensor Join(const at::Tensor& times,
                  const std::vector<at::Tensor>& prepared, size_t& count,
                  const EvalContext& adapters) const;

 private:
  bool has_added() const {
    return config_.added_time_width > 0 ||
           config_.classes != ClassEmbedding::kNone;
  }
  bool has_guidance() const { return config_.guidance_width > 0; }
  // Of `numbers`, those of the text's; -1 where sizes do not fit.
  int64_t NumbersOfText(const Conditioning& conditioning) const;
  at::Tensor OfClass(const Conditioning& conditioning, const at::Tensor& number,
                     const EvalContext& adapters) const;
  at::Tensor OfText(const at::Tensor& pooled, const at::Tensor& numbers,
                    const EvalContext& adapters) const;
  // The timestep's embedding.
  at::Tensor Embedded(const at::Tensor& times, const at::Tensor& guidance,
                      const EvalContext& adapters) const;
  at::Tensor JoinRows(const at::Tensor& times, const at::Tensor& added,
                      const at::Tensor& guidance,
                      const EvalContext& adapters) const;
  at::ScalarType dtype() const { return time_.linear_1.bias.scalar_type(); }

  const UNetEmbeddingsConfig config_;
  TimestepEmbedding time_;
  std::optional<Linear> guidance_;
  at::Tensor class_table_;  // [class_count, width]
  std::optional<TimestepEmbedding> class_;
  std::optional<TimestepEmbedding> added_;
};

}  // namespace genzo

#endif  // GENZO_WORKER_DENOISER_UNET_2D_EMBEDDINGS_H_
