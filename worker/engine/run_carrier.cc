#include "worker/engine/run_carrier.h"

#include <utility>

#include "ATen/TensorOperators.h"
#include "worker/device/thread_count.h"

namespace genzo {
namespace {

at::Tensor PixelsOf(const LiveRun& live) {
  const ScopedThreads threads(1);
  const at::Tensor decoded =
      live.job->model().codec().Decode(live.run.latent());
  return ((decoded + 1) / 2).clamp(0, 1);
}

at::Tensor LatentOf(const LiveRun& live, const at::Tensor& pixels) {
  const ScopedThreads threads(1);
  const LatentCodec& codec = live.job->model().codec();
  return codec.Scale(codec.Encode(pixels * 2 - 1).mean);
}

}  // namespace

void RunCarrier::Carry(std::unique_ptr<LiveRun> live) {
  const std::shared_ptr<LiveRun> carried = std::move(live);
  const PixelHop& hop = *carried->run.hop();
  UpscaleTask task = {.job = carried->job,
                      .image_index = carried->image_index,
                      .upscaler = hop.upscaler,
                      .size = {},
                      .pixels = [carried] { return PixelsOf(*carried); },
                      .done = nullptr,
                      .keep =
                          [carried] {
                            carried->job->KeepRun(carried->image_index,
                                                  carried->run.Save());
                          }};
  task.size.set_width(static_cast<uint32_t>(hop.width));
  task.size.set_height(static_cast<uint32_t>(hop.height));
  task.done = [carried, arrived = arrived_](const at::Tensor& pixels) {
    const absl::Status entered = carried->run.Enter(LatentOf(*carried, pixels));
    if (!entered.ok()) return entered;
    absl::MutexLock lock(&arrived->mutex);
    arrived->runs.push_back(std::make_unique<LiveRun>(std::move(*carried)));
    return absl::OkStatus();
  };
  upscale_stage_.Submit(std::move(task));
}

std::vector<std::unique_ptr<LiveRun>> RunCarrier::TakeArrived() {
  absl::MutexLock lock(&arrived_->mutex);
  return std::exchange(arrived_->runs, {});
}

bool RunCarrier::empty() const {
  absl::MutexLock lock(&arrived_->mutex);
  return arrived_->runs.empty();
}

}  // namespace genzo
