#ifndef GENZO_WORKER_PIPELINE_GUIDANCE_H_
#define GENZO_WORKER_PIPELINE_GUIDANCE_H_

#include <vector>

#include "ATen/core/Tensor.h"

namespace genzo {

// How an image's prediction is made of its rows.
struct Guidance {
  // 1: the row is the prediction. 2: classifier-free guidance (Ho & Salimans,
  // arXiv:2207.12598), the unconditional row first. 3: of a picture to follow
  // as well (arXiv:2211.09800, section 3.2.1): neither, the picture alone,
  // both.
  int rows = 1;
  double scale = 7.5;
  double image_scale = 1.5;  // of 3 rows: how close to the picture
  double rescale = 0;  // towards the conditional's spread (arXiv:2305.08891,
                       // section 3.4), 0 to 1
  // Of the rows, those at the end are the conditional one again, of a network
  // that is weaker somewhere; the prediction goes away from each by its scale
  // (arXiv:2403.17377, eq. 12).
  std::vector<double> weak_scales = {};
};

// rows [guidance.rows, C, ...] float32 -> [1, C, ...].
at::Tensor ApplyGuidance(const at::Tensor& rows, const Guidance& guidance);

}  // namespace genzo

#endif  // GENZO_WORKER_PIPELINE_GUIDANCE_H_
