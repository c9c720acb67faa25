#ifndef GENZO_WORKER_PIPELINE_MASKED_PICTURE_H_
#define GENZO_WORKER_PIPELINE_MASKED_PICTURE_H_

#include <cstdint>
#include <memory>

#include "ATen/core/Tensor.h"
#include "absl/status/statusor.h"
#include "worker/pipeline/pipeline.h"
#include "worker/sampler/sampler.h"

// Where a walk begins that paints a part of a picture anew, and what is put
// back into it. Two kinds of networks do so: those that know nothing of it,
// into whose latents the rest of the picture is put back after every
// evaluation, and those that see mask and masked picture beside the sample
// (references: the inpainting pipelines of diffusers for each family).

namespace genzo {

// What a network is given to see of a masked picture.
enum class MaskSight {
  kNothing,  // the rest is put back
  kLatent,   // the mask at the latent's size, the masked picture's latent
  kPlaces,   // the latent, then the mask with a latent's pixels as channels
};

// Channels beside the sample's.
int64_t SightChannels(MaskSight sight, const LatentCodec& codec);

// Fills in what a task's picture and mask give, if there are any: the picture,
// where the walk will begin at it, and the masked picture, where the network
// sees that.
void EncodePicture(const EncodeTask& task, const LatentCodec& codec,
                   MaskSight sight, Encoded& encoded);

// The part of a picture that stays as it is.
struct KnownPart {
  at::Tensor mask = {};  // [1, 1, h, w], 1 where it is painted; undefined: all
  at::Tensor latent = {};  // [1, C, h, w], the clean one
  at::Tensor noise = {};   // of the walk's start
};

// A walk's beginning.
struct PictureStart {
  SamplerStart start = {};
  KnownPart known = {};    // where the rest is put back
  at::Tensor beside = {};  // [1, C', h, w], where the network sees it
};

// Draws noise in the order of the references: the picture's, the walk's, the
// masked picture's, which is drawn even where nobody sees that. A masked walk
// at strength 1 begins at noise alone. INVALID_ARGUMENT/INVALID_FIELD where the
// network sees a mask and there is none.
absl::StatusOr<PictureStart> PictureStartOf(const ImageRequest& image,
                                            const Encoded& encoded,
                                            const LatentCodec& codec,
                                            MaskSight sight);

// `walk` with the known part put back after each evaluation, at the walk's
// known_level(); after the last as it is. `walk` itself where there is
// none. Part of what it saves is the walk's.
std::unique_ptr<SamplerRun> KeepKnown(std::unique_ptr<SamplerRun> walk,
                                      const KnownPart& known);

// `prepared`, the last tensor of which is then `beside` for each row, where it
// is defined: what networks take that see something beside the sample.
PreparedRef SeeBeside(const PreparedRef& prepared, const at::Tensor& beside,
                      const Placement& placement);

}  // namespace genzo

#endif  // GENZO_WORKER_PIPELINE_MASKED_PICTURE_H_
