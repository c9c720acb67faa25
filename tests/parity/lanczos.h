#ifndef GENZO_TESTS_PARITY_LANCZOS_H_
#define GENZO_TESTS_PARITY_LANCZOS_H_

#include "worker/media/pixels.h"

namespace genzo::parity {

// The picture at another size by PIL's Lanczos filter, to the byte: what the
// reference's pipelines do to pictures that are not of the size asked for.
// Ours are scaled by another filter (Scaled()), which would hide in its own
// difference everything that comes after it.
Pixels ResizedByLanczos(const Pixels& pixels, int width, int height);

}  // namespace genzo::parity

#endif  // GENZO_TESTS_PARITY_LANCZOS_H_
