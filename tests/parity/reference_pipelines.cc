#include "tests/parity/reference_calls.h"

// Defaults of diffusers 0.42.1, as inspect.signature() tells them.

namespace genzo::parity {
namespace {

constexpr ReferencePipeline kPipelines[] = {
    {"StableDiffusionPipeline", 7.5, 50},
    {"StableDiffusionImg2ImgPipeline", 7.5, 50, 0.8},
    {"StableDiffusionInpaintPipeline", 7.5, 50, 1},
    {"StableDiffusionDepth2ImgPipeline", 7.5, 50, 0.8},
    {"StableDiffusionUpscalePipeline", 9, 75},
    {"StableUnCLIPImg2ImgPipeline", 10, 20},
    {"StableDiffusionInstructPix2PixPipeline", 7.5, 100},
    // Of the reference's community.
    {"StableDiffusionLongPromptWeightingPipeline", 7.5, 50, 0.8},
    {"LatentConsistencyModelPipeline", 8.5, 4},
    {"LatentConsistencyModelImg2ImgPipeline", 8.5, 4, 0.8},
    {"StableDiffusionControlNetPipeline", 7.5, 50},
    {"StableDiffusionControlNetImg2ImgPipeline", 7.5, 50, 0.8, 0.8},
    {"StableDiffusionControlNetInpaintPipeline", 7.5, 50, 1, 0.5},
    {"StableDiffusionAdapterPipeline", 7.5, 50},
    {"StableDiffusionPAGPipeline", 7.5, 50},
    {"StableDiffusionPAGImg2ImgPipeline", 7.5, 50, 0.8},
    {"StableDiffusionPAGInpaintPipeline", 7.5, 50, 0.9999},
    {"StableDiffusionControlNetPAGPipeline", 7.5, 50},
    {"StableDiffusionControlNetPAGInpaintPipeline", 7.5, 50, 1, 0.5},
    {"StableDiffusionXLPipeline", 5, 50},
    {"StableDiffusionXLImg2ImgPipeline", 5, 50, 0.3},
    {"StableDiffusionXLInpaintPipeline", 7.5, 50, 0.9999},
    {"StableDiffusionXLControlNetPipeline", 5, 50},
    {"StableDiffusionXLControlNetImg2ImgPipeline", 5, 50, 0.8, 0.8},
    {"StableDiffusionXLControlNetInpaintPipeline", 5, 50, 0.9999},
    {"StableDiffusionXLAdapterPipeline", 5, 50},
    {"StableDiffusionXLPAGPipeline", 5, 50},
    {"StableDiffusionXLPAGImg2ImgPipeline", 5, 50, 0.3},
    {"StableDiffusionXLPAGInpaintPipeline", 7.5, 50, 0.9999},
    {"StableDiffusionXLControlNetPAGPipeline", 5, 50},
    {"StableDiffusionXLControlNetPAGImg2ImgPipeline", 5, 50, 0.8, 0.8},
    {"StableDiffusion3Pipeline", 7, 28},
    {"StableDiffusion3Img2ImgPipeline", 7, 50, 0.6},
    {"StableDiffusion3InpaintPipeline", 7, 50, 0.6},
    {"StableDiffusion3PAGPipeline", 7, 28},
    {"StableDiffusion3PAGImg2ImgPipeline", 7, 50, 0.6},
    {"FluxPipeline", 3.5, 28},
    {"FluxImg2ImgPipeline", 7, 28, 0.6},
    {"FluxInpaintPipeline", 7, 28, 0.6},
    {"FluxFillPipeline", 30, 50, 1},
    {"FluxControlNetPipeline", 7, 28},
    {"FluxControlNetImg2ImgPipeline", 7, 28, 0.6},
    {"FluxControlNetInpaintPipeline", 7, 28, 0.6},
    {"DiTPipeline", 4, 50},
};

}  // namespace

const ReferencePipeline* FindReferencePipeline(const std::string& name) {
  for (const ReferencePipeline& pipeline : kPipelines) {
    if (name == pipeline.name) return &pipeline;
  }
  return nullptr;
}

}  // namespace genzo::parity
