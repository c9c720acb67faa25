#include "client/command_line.h"

#include <map>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "client/command_writer.h"
#include "client/sampler_names.h"
#include "client/steering_line.h"

namespace genzo {
namespace {

constexpr uint32_t kUsualQuality = 90;  // of files, where none is asked for

void WriteStart(v1::GenerateRequest& request, CommandWriter& writer) {
  const v1::ImageToImage& start = request.image_to_image();
  if (!request.start_latents().empty()) {
    writer.Add("--from-latents", request.start_latents());
    writer.Number("--latents-strength", start.has_strength(), start.strength());
  } else if (request.has_image_to_image()) {
    writer.Add("--image", "FILE");
    writer.Number("--strength", start.has_strength(), start.strength());
    if (start.resize_mode() > v1::RESIZE_MODE_CROP) {
      writer.Add("--resize-mode",
                 NameOf(ResizeModeNames(), start.resize_mode()));
    }
  }
  ClearFields({"image_to_image", "start_latents"}, request);
}

// Whatever the file says of itself, the picture is the same.
void WriteFile(v1::OutputOptions& output, CommandWriter& writer) {
  if (output.format() > v1::IMAGE_FORMAT_PNG) {  // the usual one
    writer.Text("--format", NameOf(FormatNames(), output.format()));
  }
  writer.Number("--quality",
                output.quality() != 0 && output.quality() != kUsualQuality,
                output.quality());
  ClearFields({"format", "quality", "mark_provenance", "embed_parameters"},
              output);
}

void WritePicture(v1::GenerateRequest& request, CommandWriter& writer) {
  if (request.reproducibility() == v1::REPRODUCIBILITY_REPRODUCIBLE) {
    writer.Flag("--reproducible", true);
  }
  // Off is what a server does that does nothing.
  if (request.safety_policy() > v1::SAFETY_POLICY_OFF) {
    writer.Text("--safety",
                NameOf(SafetyPolicyNames(), request.safety_policy()));
  }
  v1::OutputOptions& output = *request.mutable_output();
  WriteFile(output, writer);
  writer.Flag("--watermark", output.watermark());
  writer.Flag("--tiny-decoder", output.tiny_decoder());
  ClearFields({"watermark", "tiny_decoder"}, output);
  ClearFields({"reproducibility", "safety_policy"}, request);
  if (output.ByteSizeLong() == 0) request.clear_output();
}

// What the model is told of sizes; both rows the same, as options say it.
void WriteSizes(v1::GenerateRequest& request, CommandWriter& writer) {
  const v1::SizeConditioning& sizes = request.size_conditioning();
  const v1::SizeConditioning::Sizes& told = sizes.prompt();
  const bool is_one =
      !sizes.has_negative() ||
      sizes.negative().SerializeAsString() == told.SerializeAsString();
  if (!request.has_size_conditioning() || !is_one) return;
  const auto add = [&](const char* option, bool is_told, uint32_t x,
                       uint32_t y) {
    if (is_told) writer.Add(option, absl::StrCat(x, ",", y));
  };
  add("--original-size",
      told.has_original_width() || told.has_original_height(),
      told.original_width(), told.original_height());
  add("--crop", told.crop_left() > 0 || told.crop_top() > 0, told.crop_left(),
      told.crop_top());
  add("--target-size", told.has_target_width() || told.has_target_height(),
      told.target_width(), told.target_height());
  ClearFields({"size_conditioning"}, request);
}

void WriteModelFields(v1::GenerateRequest& request, CommandWriter& writer) {
  writer.Text("--prompt-2", request.prompt_2());
  writer.Text("--negative-2", request.negative_prompt_2());
  writer.Text("--prompt-3", request.prompt_3());
  writer.Text("--negative-3", request.negative_prompt_3());
  writer.Number("--class", request.has_class_label(), request.class_label());
  writer.Number("--true-guidance", request.has_true_guidance_scale(),
                request.true_guidance_scale());
  writer.Number("--max-tokens", request.has_max_sequence_length(),
                request.max_sequence_length());
  writer.Number("--image-guidance", request.has_image_guidance_scale(),
                request.image_guidance_scale());
  writer.Number("--noise-level", request.has_noise_level(),
                request.noise_level());
  const v1::Refiner& refiner = request.refiner();
  writer.Number("--refine-at", refiner.has_switch_at(), refiner.switch_at());
  writer.Number("--aesthetic-score", refiner.has_aesthetic_score(),
                refiner.aesthetic_score());
  writer.Number("--negative-aesthetic-score",
                refiner.has_negative_aesthetic_score(),
                refiner.negative_aesthetic_score());
  ClearFields({"prompt_2", "negative_prompt_2", "prompt_3", "negative_prompt_3",
               "class_label", "true_guidance_scale", "max_sequence_length",
               "image_guidance_scale", "noise_level", "refiner"},
              request);
}

void WriteWalk(v1::GenerateRequest& request, CommandWriter& writer) {
  writer.Number("--width", request.has_width(), request.width());
  writer.Number("--height", request.has_height(), request.height());
  writer.Number("--steps", request.has_steps(), request.steps());
  writer.Number("--guidance", request.has_guidance_scale(),
                request.guidance_scale());
  writer.Number("--guidance-rescale", request.guidance_rescale() != 0,
                request.guidance_rescale());
  if (request.sampler() != v1::SAMPLER_UNSPECIFIED) {
    writer.Add("--sampler", SamplerName({.sampler = request.sampler()}));
  }
  writer.Text("--schedule", NameOf(ScheduleNames(), request.schedule()));
  writer.Number("--eta", request.has_eta(), request.eta());
  writer.Number("--clip-skip", request.clip_skip() != 0, request.clip_skip());
  writer.Numbers("--sigmas", request.sigmas());
  writer.Numbers("--timesteps", request.timesteps());
  writer.Text("--noise",
              NameOf(NoiseGeneratorNames(), request.noise_generator()));
  ClearFields({"width", "height", "steps", "guidance_scale", "guidance_rescale",
               "sampler", "schedule", "eta", "clip_skip", "sigmas", "timesteps",
               "noise_generator"},
              request);
}

CommandLine LineOf(const CommandWriter& writer,
                   const google::protobuf::Message& request) {
  CommandLine line = {.command = writer.command(), .missing = {}};
  std::vector<const google::protobuf::FieldDescriptor*> left;
  request.GetReflection()->ListFields(request, &left);
  for (const auto* field : left) line.missing.push_back(field->name());
  return line;
}

}  // namespace

CommandLine CommandLineOf(v1::GenerateRequest request) {
  CommandWriter writer("generate");
  const std::string prompt = request.prompt();
  const bool looks_like_option = absl::StartsWith(prompt, "-");
  if (!looks_like_option) writer.Add(prompt);
  writer.Text("--negative", request.negative_prompt());
  writer.Text("--model", request.model());
  writer.Number("--seed", request.has_seed(), request.seed());
  ClearFields({"prompt", "negative_prompt", "model", "seed"}, request);
  WriteWalk(request, writer);
  WriteModelFields(request, writer);
  WriteSizes(request, writer);
  WriteSteering(request, writer);
  WriteStart(request, writer);
  WritePicture(request, writer);
  if (looks_like_option) writer.Add("--", prompt);
  return LineOf(writer, request);
}

CommandLine CommandLineOf(v1::UpscaleRequest request) {
  CommandWriter writer("upscale");
  writer.Add("FILE");
  writer.Text("--upscaler", request.upscaler());
  writer.Number("--factor", request.has_factor(), request.factor());
  if (request.has_width()) {
    writer.Add("--size", absl::StrCat(request.width(), ",", request.height()));
  }
  v1::OutputOptions& output = *request.mutable_output();
  WriteFile(output, writer);
  ClearFields({"picture", "upscaler", "factor", "width", "height"}, request);
  if (output.ByteSizeLong() == 0) request.clear_output();
  return LineOf(writer, request);
}

}  // namespace genzo
