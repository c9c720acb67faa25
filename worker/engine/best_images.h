#ifndef GENZO_WORKER_ENGINE_BEST_IMAGES_H_
#define GENZO_WORKER_ENGINE_BEST_IMAGES_H_

#include <cstddef>
#include <vector>

#include "genzo/v1/image_generation.pb.h"

namespace genzo {

// Of what became of a job's drawn images, `image`, `image_withheld` and
// `image_failed` events in the order of their indices, the `count` to be sent:
// the highest scores first, the first drawn of equal ones; then what was
// withheld, then what failed, so far as there are not enough images. They are
// numbered anew from 0. Of four images with the scores 21, 30, 30 and 25, two
// are images 1 and 2. Pure.
std::vector<v1::JobEvent> BestImages(std::vector<v1::JobEvent> drawn,
                                     size_t count);

}  // namespace genzo

#endif  // GENZO_WORKER_ENGINE_BEST_IMAGES_H_
