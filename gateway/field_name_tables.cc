#include <initializer_list>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "gateway/field_names.h"
#include "genzo/v1/image_generation.pb.h"

namespace genzo {
namespace {

// The proto's name everywhere, whatever is inside.
FieldNames Same(std::initializer_list<absl::string_view> fields) {
  FieldNames names;
  for (const absl::string_view field : fields) {
    const std::string whole = absl::StrCat(field, kInside);
    names.push_back({whole, whole});
  }
  return names;
}

FieldNames Joined(std::initializer_list<FieldNames> tables) {
  FieldNames joined;
  for (const FieldNames& table : tables) {
    joined = Followed(std::move(joined), table);
  }
  return joined;
}

// What has one name at every door that is not the service's own.
FieldNames SharedNames() {
  return Joined({Same({"prompt",        "negative_prompt",
                       "prompt_2",      "negative_prompt_2",
                       "prompt_3",      "negative_prompt_3",
                       "seed",          "eta",
                       "class_label",   "guidance_rescale",
                       "guidance",      "size_conditioning",
                       "noise_level",   "true_guidance_scale",
                       "refiner",       "max_sequence_length",
                       "sigmas",        "timesteps",
                       "priority",      "prompt_syntax",
                       "keep_latents",  "start_latents",
                       "loras",         "controls",
                       "image_prompts", "time_limit"}),
                 {{"controls[].picture...", "controls[].image"},
                  {"image_prompts[].pictures", "image_prompts[].images"},
                  {"image_prompts[].pictures[]...", "image_prompts[].images[]"},
                  {"image_to_image.inversion", "source_prompt"},
                  {"image_to_image.inversion.prompt", "source_prompt"},
                  {"outpainting...", "extend"},
                  {"best_of", "best_of"},
                  {"best_of.draw", "best_of"},
                  {"best_of.scorer", "scorer"},
                  {"safety_policy", "safety"},
                  {"reproducibility", "reproducible"},
                  {"output.upscaler", "upscaler"},
                  {"output.watermark", "watermark"},
                  {"output.mark_provenance", "provenance"}}});
}

// What the doors' own words for preprocessors are in the proto.
FieldNames PreprocessorNames(const std::string& tile,
                             const std::string& inpaint) {
  return {{"PREPROCESSOR_NONE", "none"},
          {"PREPROCESSOR_CANNY", "canny"},
          {"PREPROCESSOR_TILE", tile},
          {"PREPROCESSOR_INPAINT", inpaint}};
}

// The same of OpenAI's door and the tools of MCP.
FieldNames CommonNames() {
  return Joined(
      {SharedNames(),
       PreprocessorNames("tile", "inpaint"),
       Same({"model", "sampler", "guidance_scale", "image_guidance_scale",
             "clip_skip", "variation", "hires", "churn", "noise_generator"}),
       {{"steps", "num_inference_steps"},
        {"schedule", "scheduler"},
        {"image_count", "n"},
        {"image_to_image", "image"},
        {"image_to_image.image", "image"},
        {"image_to_image.strength", "strength"},
        {"image_to_image.resize_mode", "resize_mode"},
        {"image_to_image.inversion.guidance_scale", "inversion.guidance_scale"},
        {"image_to_image.inversion.steps", "inversion.steps"},
        {"inpainting", "mask"},
        {"inpainting.mask...", "mask"},
        {"inpainting.mask_blur", "mask_blur"},
        {"inpainting.fill", "mask_fill"},
        {"inpainting.only_masked", "only_masked"},
        {"inpainting.padding", "mask_padding"},
        {"inpainting.invert_mask", "invert_mask"},
        {"inpainting.mask_is_transparency", "mask_is_transparency"},
        {"output.format", "output_format"},
        {"output.quality", "output_compression"},
        {"output.embed_parameters", "embed_parameters"},
        {"output.tiny_decoder", "tiny_decoder"}}});
}

}  // namespace

const FieldNames& OpenAiNames() {
  static const auto& names =
      *new FieldNames(Joined({CommonNames(),
                              {{"width", "size"},
                               {"height", "size"},
                               {"preview...", "partial_images"},
                               {"request_id", "idempotency-key"}}}));
  return names;
}

const FieldNames& OpenAiUpscaleNames() {
  static const auto& names =
      *new FieldNames(Joined({Same({"upscaler", "factor"}),
                              {{"picture...", "image"},
                               {"width", "size"},
                               {"height", "size"},
                               {"output.format", "output_format"},
                               {"output.quality", "output_compression"}}}));
  return names;
}

const FieldNames& McpNames() {
  // The last are those of the tools that do not paint.
  static const auto& names =
      *new FieldNames(Joined({CommonNames(),
                              Same({"width", "height"}),
                              {{"picture...", "image"},
                               {"pictures", "images"},
                               {"pictures[]...", "images[]"}}}));
  return names;
}

const FieldNames& A1111Names() {
  static const auto& names = *new FieldNames(Joined(
      {SharedNames(),
       PreprocessorNames("tile_resample", "inpaint_only"),
       Same({"steps", "width", "height"}),
       {{"guidance_scale", "cfg_scale"},
        {"sampler", "sampler_name"},
        {"schedule", "scheduler"},
        {"image_count", "batch_size"},
        {"model", "override_settings.sd_model_checkpoint"},
        {"clip_skip", "override_settings.CLIP_stop_at_last_layers"},
        {"noise_generator", "override_settings.randn_source"},
        {"output.format", "override_settings.samples_format"},
        {"output.quality", "output_compression"},
        {"output.embed_parameters", "override_settings.enable_pnginfo"},
        {"output.tiny_decoder", "override_settings.sd_vae_decode_method"},
        {"variation", "subseed_strength"},
        {"variation.seed", "subseed"},
        {"variation.strength", "subseed_strength"},
        {"variation.resize_from_width", "seed_resize_from_w"},
        {"variation.resize_from_height", "seed_resize_from_h"},
        {"churn", "s_churn"},
        {"churn.amount", "s_churn"},
        {"churn.min_sigma", "s_tmin"},
        {"churn.max_sigma", "s_tmax"},
        {"churn.noise", "s_noise"},
        {"image_guidance_scale", "image_cfg_scale"},
        {"image_to_image", "init_images"},
        {"image_to_image.image", "init_images"},
        {"image_to_image.strength", "denoising_strength"},
        {"image_to_image.resize_mode", "resize_mode"},
        {"image_to_image.inversion.guidance_scale", "inversion.guidance_scale"},
        {"image_to_image.inversion.steps", "inversion.steps"},
        {"inpainting", "mask"},
        {"inpainting.mask...", "mask"},
        {"inpainting.mask_blur", "mask_blur"},
        {"inpainting.mask_is_transparency", "mask_is_transparency"},
        {"inpainting.fill", "inpainting_fill"},
        {"inpainting.only_masked", "inpaint_full_res"},
        {"inpainting.padding", "inpaint_full_res_padding"},
        {"inpainting.invert_mask", "inpainting_mask_invert"},
        {"hires", "enable_hr"},
        {"hires.factor", "hr_scale"},
        {"hires.width", "hr_resize_x"},
        {"hires.height", "hr_resize_y"},
        {"hires.upscale", "hr_upscaler"},
        {"hires.upscaler", "hr_upscaler"},
        {"hires.steps", "hr_second_pass_steps"},
        {"hires.strength", "denoising_strength"},
        {"hires.sampler", "hr_sampler_name"},
        {"hires.schedule", "hr_scheduler"}}}));
  return names;
}

const FieldNames& JobNames() {
  static const auto& names = *new FieldNames([] {
    const auto& request = *v1::GenerateRequest::descriptor();
    FieldNames rows;
    for (int i = 0; i < request.field_count(); ++i) {
      const std::string whole = absl::StrCat(request.field(i)->name(), kInside);
      rows.push_back({whole, absl::StrCat("request.", whole)});
    }
    return rows;
  }());
  return names;
}

const FieldNames& A1111ExtrasNames() {
  static const auto& names = *new FieldNames({{"upscaler", "upscaler_1"},
                                              {"factor", "upscaling_resize"},
                                              {"width", "upscaling_resize_w"},
                                              {"height", "upscaling_resize_h"},
                                              {"picture...", "image"}});
  return names;
}

}  // namespace genzo
