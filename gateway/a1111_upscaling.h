#ifndef GENZO_GATEWAY_A1111_UPSCALING_H_
#define GENZO_GATEWAY_A1111_UPSCALING_H_

#include <vector>

#include "gateway/a1111_seats.h"
#include "gateway/backend.h"
#include "gateway/router.h"

// What A1111's clients call to make files of pictures larger.

namespace genzo {

// upscalers, latent-upscale-modes, extra-single-image and extra-batch-images.
// The last two sit on the caller's seat, with tiles for steps: `progress` shows
// them, and `interrupt` ends them with what is there, as A1111's does.
// `backend` and `seats` outlive their calls.
std::vector<Route> A1111UpscalingRoutes(Backend& backend, A1111Seats& seats);

}  // namespace genzo

#endif  // GENZO_GATEWAY_A1111_UPSCALING_H_
