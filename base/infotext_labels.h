#ifndef GENZO_BASE_INFOTEXT_LABELS_H_
#define GENZO_BASE_INFOTEXT_LABELS_H_

#include <string>

#include "absl/strings/string_view.h"
#include "genzo/v1/image_generation.pb.h"

namespace genzo {

// Words that stand in pictures' parameters and at the A1111 door, as web UIs
// read them. All pure.

// How the second pass's picture is made: "Lanczos", "Latent", or the network.
std::string HiresUpscalerLabel(const v1::HiresPass& hires);

// What the masked part begins as; empty for its own pixels, the default.
const char* MaskedContentLabel(v1::Inpainting::Fill fill);

// One hint, as the extension for ControlNet reads its units (infotext.py of
// sd-webui-controlnet); with `fitting`, what it calls its resize mode.
std::string ControlUnitLabel(const v1::ControlInput& control,
                             absl::string_view fitting = "");

}  // namespace genzo

#endif  // GENZO_BASE_INFOTEXT_LABELS_H_
