#ifndef GENZO_WORKER_UPSCALE_ENLARGEMENT_H_
#define GENZO_WORKER_UPSCALE_ENLARGEMENT_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "ATen/core/Tensor.h"
#include "base/upscale_plan.h"
#include "worker/upscale/resize.h"
#include "worker/upscale/tiled_upscale.h"
#include "worker/upscale/upscaler.h"

namespace genzo {

// [1, C, H, W], with what stands over the proportions of `target` cut off
// evenly.
at::Tensor CropToProportions(const at::Tensor& picture, PixelSize target);

// A picture's whole way to a larger one: through the network as often as it
// takes, then by a Lanczos filter to the very size. Tile by tile, so that
// others can have the device in between. For one thread at a time.
class Enlargement {
 public:
  // `pixels` [1, 3, H, W] float32 in [0, 1] on the CPU go as `plan` says.
  // `upscaler` may be null where the plan has no passes. A tile takes at most
  // `memory_bytes`, see PlanTiles().
  Enlargement(std::shared_ptr<const Upscaler> upscaler, at::Tensor pixels,
              const UpscalePlan& plan, int64_t memory_bytes);

  // Over all passes, and the filter's bands.
  int tiles() const { return tiles_; }
  int tiles_done() const { return done_; }
  bool finished() const { return done_ == tiles_; }

  // Makes the next tile, unless it is finished. LibTorch's exceptions leave it
  // as they are.
  void Step();

  // Once finished: [1, 3, height, width] in [0, 1] on the CPU.
  at::Tensor result() const;

 private:
  void StepPass();
  void StepFilter();

  const std::shared_ptr<const Upscaler> upscaler_;
  const PixelSize size_;
  const int64_t memory_bytes_;
  int tiles_ = 0;
  int bands_ = 0;  // of tiles_, the last
  int done_ = 0;
  at::Tensor pixels_;  // before the pass under way
  std::optional<TiledUpscale> pass_;
  std::optional<LanczosResize> filter_;
};

}  // namespace genzo

#endif  // GENZO_WORKER_UPSCALE_ENLARGEMENT_H_
