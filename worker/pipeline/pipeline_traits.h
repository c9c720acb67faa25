#ifndef GENZO_WORKER_PIPELINE_PIPELINE_TRAITS_H_
#define GENZO_WORKER_PIPELINE_PIPELINE_TRAITS_H_

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "base/guidance_rules.h"
#include "worker/sampler/create_sampler.h"
#include "worker/weights/text_file.h"

namespace genzo {

// What a request gets that does not say otherwise. A file genzo.json beside
// model_index.json sets any of them by these names.
struct PipelineDefaults {
  int steps = 25;
  double guidance_scale = 7.5;
  SamplerId sampler{};  // by its name in the command line
  SigmaSchedule schedule = SigmaSchedule::kDefault;  // likewise: "karras"
};

// Evaluations of a walk of so many steps: a line, for every sampler there is.
struct EvaluationLine {
  int per_step = 1;
  int extra = 0;
};

// What a checkpoint can do and what it expects, as far as everybody else is
// concerned: the catalog tells it, requests are checked against it. A value.
struct PipelineTraits {
  std::string family;  // "stable-diffusion"
  std::vector<v1::Task> tasks;
  int64_t default_width = 512;  // pixels
  int64_t default_height = 512;
  int64_t size_multiple = 8;  // of width and height
  // A request's picture is fitted to its size divided by this: 4 for a model
  // that makes pictures four times as wide and high.
  int64_t picture_divisor = 1;
  bool sees_whole_picture = false;  // also as it came, not fitted
  int64_t max_clip_skip = 0;
  // Of the text encoders that read textual inversions; empty: none does.
  std::vector<int64_t> text_widths = {};
  int max_steps = 1000;  // timesteps that it was trained with
  std::vector<SamplerId> samplers =
      {};  // that can read its schedule, its own first
  std::map<SamplerId, EvaluationLine> evaluations = {};  // of each of them
  std::map<SamplerId, SamplerNeeds> needs = {};          // likewise
  PipelineDefaults defaults = {};
  // Rows of one image in an evaluation, without and with guidance.
  int rows = 1;
  int guided_rows = 2;
  // Fields of a request that not every model takes, by path, and this one does.
  std::vector<std::string> request_fields = {"image_to_image.strength"};
  int transformer_layers = 0;  // that guidance.skip_layers may name; 0: none
  // ControlFitOf() its denoiser; empty: it cannot be steered.
  std::string control_fit = {};
  // PictureFit() of its denoiser; empty: it reads no pictures.
  std::string picture_fit = {};
};

// Rows of an image that is guided by `guidance_scale`.
inline int RowsOf(const PipelineTraits& traits, double guidance_scale) {
  return IsGuided(guidance_scale) ? traits.guided_rows : traits.rows;
}

// Fills in what a scheduler_config.json decides: the samplers that can read it,
// its own first, and how many steps a walk may have. UNIMPLEMENTED or
// INVALID_ARGUMENT name the class or the key that its own sampler cannot read.
absl::Status ReadSchedule(const nlohmann::json& scheduler,
                          PipelineTraits& traits);

// Writes what a model's genzo.json, if there is one, says of its schedule over
// a scheduler_config.json: prediction_type, rescale_betas_zero_snr,
// timestep_spacing. For files whose authors do not say it.
absl::Status ChangeSchedule(const TextFile& file, nlohmann::json& scheduler);

// Reads the rest of it over `traits.defaults`.
// INVALID_ARGUMENT names file, key and value, and keys that are not known.
absl::Status ReadDefaults(const TextFile& file, PipelineTraits& traits);

}  // namespace genzo

#endif  // GENZO_WORKER_PIPELINE_PIPELINE_TRAITS_H_
