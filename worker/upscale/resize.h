#ifndef GENZO_WORKER_UPSCALE_RESIZE_H_
#define GENZO_WORKER_UPSCALE_RESIZE_H_

#include <cstdint>
#include <vector>

#include "ATen/core/Tensor.h"

namespace genzo {

// Pixels [1, C, H, W] float32 of that height and width, through PIL's Lanczos
// filter of three lobes, with its antialiasing where a side becomes shorter;
// within 1/255 of PIL's own, which rounds to bytes between the two sides. May
// overshoot [0, 1] a little. On the CPU, one thread. In bands of rows, so that
// others may have a say in between.
class LanczosResize {
 public:
  LanczosResize(const at::Tensor& pixels, int64_t height, int64_t width);

  // Of a result of that height.
  static int64_t BandsOf(int64_t height);
  // Makes the next band; nothing once all are there.
  void Step();
  // Once all are.
  const at::Tensor& result() const { return result_; }

 private:
  static constexpr int64_t kBandRows = 128;
  // Where a place of the result looks, and how much each of these counts.
  struct Tap {
    int64_t begin = 0;
    std::vector<float> weights;
  };
  using Taps = std::vector<Tap>;
  static Taps TapsOf(int64_t in, int64_t out);

  // Rows [begin, end) of a channel at the result's width, to wide_.
  void Widen(int64_t channel, int64_t begin, int64_t end);
  // Row y of the result, of wide_, which starts at row `begin`.
  void MakeRow(int64_t channel, int64_t y, int64_t begin);

  const at::Tensor pixels_;
  const Taps columns_;
  const Taps rows_;
  at::Tensor result_;
  std::vector<float> wide_;
  int64_t done_ = 0;
};

// All of it.
at::Tensor ResizeLanczos(const at::Tensor& pixels, int64_t height,
                         int64_t width);

}  // namespace genzo

#endif  // GENZO_WORKER_UPSCALE_RESIZE_H_
