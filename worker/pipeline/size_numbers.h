#ifndef GENZO_WORKER_PIPELINE_SIZE_NUMBERS_H_
#define GENZO_WORKER_PIPELINE_SIZE_NUMBERS_H_

#include <cstdint>

#include "ATen/core/Tensor.h"
#include "genzo/v1/image_generation.pb.h"

namespace genzo {

// What SDXL is told of a picture (arXiv:2307.01952, section 2.2), a row a row
// of its image, the prompt's last, float32 on the CPU. What the request leaves
// out is an uncropped picture of its size.

// Original height and width, crop from the top and from the left, target height
// and width: [rows, kSizeNumbers].
inline constexpr int64_t kSizeNumbers = 6;
at::Tensor SizeNumbers(const v1::GenerateRequest& request, int64_t rows);

// The same with an aesthetic score in place of the target size: [rows,
// kRefinerNumbers].
inline constexpr int64_t kRefinerNumbers = 5;
at::Tensor RefinerNumbers(const v1::GenerateRequest& request, int64_t rows);

}  // namespace genzo

#endif  // GENZO_WORKER_PIPELINE_SIZE_NUMBERS_H_
