#ifndef GENZO_BASE_LATENT_MODES_H_
#define GENZO_BASE_LATENT_MODES_H_

#include <utility>

#include "genzo/v1/image_generation.pb.h"

namespace genzo {

// What web UIs, and files, call the ways of enlarging latents; the first is
// what they mean unless told.
inline constexpr std::pair<const char*, v1::HiresPass::Upscale> kLatentModes[] =
    {{"Latent", v1::HiresPass::UPSCALE_LATENT},
     {"Latent (nearest)", v1::HiresPass::UPSCALE_LATENT_NEAREST},
     {"Latent (bicubic)", v1::HiresPass::UPSCALE_LATENT_BICUBIC}};

}  // namespace genzo

#endif  // GENZO_BASE_LATENT_MODES_H_
