#ifndef GENZO_WORKER_MEDIA_ORIENTATION_H_
#define GENZO_WORKER_MEDIA_ORIENTATION_H_

#include "worker/media/pixels.h"

namespace genzo {

// The picture as it is to be looked at; `orientation` is that of
// OrientationIn(). Thread-safe.
Pixels Upright(Pixels pixels, int orientation);

}  // namespace genzo

#endif  // GENZO_WORKER_MEDIA_ORIENTATION_H_
