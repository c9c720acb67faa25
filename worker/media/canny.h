#ifndef GENZO_WORKER_MEDIA_CANNY_H_
#define GENZO_WORKER_MEDIA_CANNY_H_

#include "worker/media/pixels.h"

namespace genzo {

// The edges of a picture, white on black (Canny 1986): where brightness changes
// most steeply across, by over `high`, and where such an edge goes on by over
// `low`. Changes are |dx| + |dy| of 3x3 Sobel filters, the largest of the three
// colours, the border's pixels repeated outwards. To the bit what
// cv2.Canny(picture, low, high) gives, which trained most control networks.
// Thread-safe.
Pixels CannyEdges(const Pixels& picture, int low, int high);

}  // namespace genzo

#endif  // GENZO_WORKER_MEDIA_CANNY_H_
