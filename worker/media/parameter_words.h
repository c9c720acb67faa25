#ifndef GENZO_WORKER_MEDIA_PARAMETER_WORDS_H_
#define GENZO_WORKER_MEDIA_PARAMETER_WORDS_H_

#include <string>

#include "genzo/v1/upscaling.pb.h"

namespace genzo {

// Parts of the "parameters" of AUTOMATIC1111's web UI. Pure.

// A value as its readers take it: in quotes, if their own separators are in it.
std::string ParameterValue(const std::string& text);

// How a finished picture was enlarged, as its Extras tell it:
// "Postprocess upscale by: 2, Postprocess upscaler: realesrgan-x4". Of a size
// it is "Postprocess upscale to: 1920x1080"; an upscaler's own scale is not
// told, which only its file knows.
std::string UpscaleParameters(const v1::UpscaleRequest& request);

}  // namespace genzo

#endif  // GENZO_WORKER_MEDIA_PARAMETER_WORDS_H_
