#ifndef GENZO_BASE_REQUEST_RULES_H_
#define GENZO_BASE_REQUEST_RULES_H_

#include <cstdint>

#include "absl/strings/string_view.h"
#include "genzo/v1/image_generation.pb.h"
#include "genzo/v1/model_registry.pb.h"

// Rules of requests that front end, queue and worker must all go by.

namespace genzo {

// Of guidance_scale, in requests and as a model's default.
inline constexpr double kMaxGuidanceScale = 100;

// Of image_guidance_scale, and of a request's refiner: after which share of the
// walk it takes over, and what pictures it is told to make and to avoid.
inline constexpr double kDefaultImageGuidanceScale = 1.5;
inline constexpr double kDefaultSwitchAt = 0.8;
inline constexpr double kDefaultAestheticScore = 6;
inline constexpr double kDefaultNegativeAestheticScore = 2.5;

// Most tokens that a request may have T5 read of a text.
inline constexpr uint32_t kMaxSequenceLength = 512;

// What becomes of a step that a start picture's strength cuts in two.
enum class StepRounding { kDown, kUp };

// Models of flow matching walk it, others leave it out, as the references do.
StepRounding StepRoundingOf(const v1::Model& model);

// How many of `steps` image-to-image walks at `strength`, 0 to 1: 7 of 10 at
// 0.7, 28 of 100 at 0.29, which is 28.999..., none of 10 at 0.05; rounded up, 5
// of 8 at 0.6, which is 4.8. Reference: get_timesteps of diffusers'
// StableDiffusionImg2ImgPipeline and StableDiffusion3Img2ImgPipeline.
int64_t StepsWalked(int64_t steps, double strength,
                    StepRounding rounding = StepRounding::kDown);

// How many steps the image_to_image.inversion of a request, as resolved, walks
// up before the others; 0 without.
int InversionSteps(const v1::GenerateRequest& request);

// How many moves of samplers an image of a request, as resolved, takes in its
// first pass, of which a picture to start from leaves a share, in its `hires`
// pass, and in all, an inversion's among them.
int StepsOfPass(const v1::GenerateRequest& request, StepRounding rounding);
int StepsOfSecondPass(const v1::GenerateRequest& request,
                      StepRounding rounding);
int StepsOfImage(const v1::GenerateRequest& request, StepRounding rounding);

// How many images are painted for a request, as resolved: with best_of more
// than are sent.
uint32_t ImagesDrawn(const v1::GenerateRequest& request);

// Whether `name` may name a tenant: [A-Za-z0-9._-]{1,64}.
bool IsTenantName(absl::string_view name);

// Whether `text` is a UUID as RFC 9562 writes it, whatever its version:
// "123e4567-e89b-42d3-a456-426614174000".
bool IsUuid(absl::string_view text);

}  // namespace genzo

#endif  // GENZO_BASE_REQUEST_RULES_H_
