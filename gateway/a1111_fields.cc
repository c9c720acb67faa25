#include <limits>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/request_rules.h"
#include "gateway/a1111.h"
#include "gateway/a1111_controlnet.h"
#include "gateway/a1111_inpainting.h"
#include "gateway/a1111_upscaling.h"
#include "gateway/a1111_variation.h"
#include "gateway/json_body.h"
#include "gateway/loras.h"
#include "gateway/model_fields.h"
#include "gateway/picture_fields.h"
#include "gateway/sampler_labels.h"
#include "gateway/steering_fields.h"

namespace genzo {

using nlohmann::json;

namespace {

constexpr uint32_t kMaxCount = UINT32_MAX;
constexpr double kMaxNumber = std::numeric_limits<float>::max();
constexpr double kMaxSigma = 999;  // beyond, A1111 means none
// Steps between two looks that `progress` may show. They cost next to nothing.
constexpr uint32_t kPreviewEvery = 5;
// A1111's own, for img2img.
constexpr double kStrength = 0.75;

void Lacks(FieldReader& reader, const std::string& name,
           const std::string& what) {
  reader.Fail(name,
              absl::StrCat("is given, but this server has no ", what, " yet"));
}

bool IsEmpty(const json* value) {
  return value == nullptr || value->is_null() ||
         (value->is_structured() && value->empty()) ||
         (value->is_string() &&
          (value->get<std::string>().empty() ||
           absl::EqualsIgnoreCase(value->get<std::string>(), "none"))) ||
         (value->is_boolean() && !value->get<bool>()) ||
         (value->is_number() && value->get<double>() == 0);
}

void RefuseWhatIsLacking(FieldReader& reader) {
  for (const auto& [name, what] :
       std::initializer_list<std::pair<const char*, const char*>>{
           {"restore_faces", "restoring of faces"},
           {"tiling", "tiling"},
           {"styles", "styles"},
           {"refiner_checkpoint", "refiner out of another checkpoint"},
           {"script_name", "scripts"},
           {"s_min_uncond", "guidance that ends at a noise level"}}) {
    if (!IsEmpty(reader.Any(name))) Lacks(reader, name, what);
  }
  const json* scripts = reader.Any("alwayson_scripts");
  if (scripts == nullptr || !scripts->is_object()) return;
  for (const auto& [name, script] : scripts->items()) {
    if (!script.is_object() || !script.contains("args") ||
        IsControlNetScript(name)) {
      continue;
    }
    const json& arguments = script["args"];
    // Clients switch off what they know of by [] or [false].
    const bool is_off =
        IsEmpty(&arguments) || (arguments.is_array() && IsEmpty(&arguments[0]));
    if (!is_off) {
      Lacks(reader, "alwayson_scripts",
            absl::StrCat("script ", ShownValue(name)));
    }
  }
}

void ReadPrompts(FieldReader& reader, v1::GenerateRequest& request) {
  std::string prompt = reader.Text("prompt").value_or("");
  const std::string wrong = TakeLoraTags(prompt, request);
  if (!wrong.empty()) reader.Fail("prompt", wrong);
  if (absl::StrContains(prompt, "<hypernet:")) {
    reader.Fail("prompt",
                "has <hypernet:...>, but this server has no hypernetworks yet");
  }
  request.set_prompt(std::move(prompt));
  request.set_negative_prompt(reader.Text("negative_prompt").value_or(""));
  // A1111 reads them in the prompt alone and takes these for text.
  if (absl::StrContains(request.negative_prompt(), "<lora:")) {
    reader.Fail("negative_prompt", "has <lora:...>, which prompt alone may");
  }
}

// The extension's units, by either of its ways. `shown` is the body as it is
// shown again.
void ReadControlNet(const json& body, FieldReader& reader,
                    v1::GenerateRequest& request, json& shown) {
  // The name of an older version.
  const auto older = body.find("controlnet_units");
  if (older != body.end() && !older->is_null()) {
    ReadControlNetUnits(*older, reader, request);
    shown["controlnet_units"] = WithoutPictures(*older);
  }
  const auto scripts = body.find("alwayson_scripts");
  if (scripts == body.end() || !scripts->is_object()) return;
  for (const auto& [name, script] : scripts->items()) {
    if (!IsControlNetScript(name) || !script.is_object() ||
        !script.contains("args")) {
      continue;
    }
    ReadControlNetUnits(script["args"], reader, request);
    shown["alwayson_scripts"][name]["args"] = WithoutPictures(script["args"]);
  }
}

void ReadSampler(FieldReader& reader, v1::GenerateRequest& request) {
  // sampler_index is the older name of the same.
  for (const char* field : {"sampler_index", "sampler_name"}) {
    const auto name = reader.Text(field);
    if (!name.has_value() || name->empty()) continue;
    const auto choice = SamplerNamed(*name);
    if (!choice.has_value()) {
      reader.Fail(field, absl::StrCat(ShownValue(*name),
                                      " is not the name of a sampler; GET "
                                      "/sdapi/v1/samplers lists them"));
      continue;
    }
    request.set_sampler(choice->sampler);
    request.set_schedule(choice->schedule);
  }
  const auto name = reader.Text("scheduler");
  if (!name.has_value() || name->empty()) return;
  const auto schedule = ScheduleNamed(*name);
  if (!schedule.has_value()) {
    reader.Fail("scheduler", absl::StrCat(ShownValue(*name),
                                          " is not the name of a schedule; GET "
                                          "/sdapi/v1/schedulers lists them"));
  } else if (*schedule != v1::NOISE_SCHEDULE_UNSPECIFIED) {
    request.set_schedule(*schedule);
  }
}

// What A1111 has as settings of saved files and of noise.
void ReadOutput(FieldReader& settings, v1::GenerateRequest& request) {
  const std::string format =
      settings.Choice("samples_format", {"png", "jpg", "jpeg", "webp"});
  if (format != "png") {
    request.mutable_output()->set_format(
        format == "webp" ? v1::IMAGE_FORMAT_WEBP : v1::IMAGE_FORMAT_JPEG);
  }
  if (const auto embeds = settings.Truth("enable_pnginfo")) {
    request.mutable_output()->set_embed_parameters(*embeds);
  }
  if (settings.Choice("randn_source", {"CPU", "GPU", "NV"}) != "CPU") {
    request.set_noise_generator(v1::NOISE_GENERATOR_CUDA);
  }
}

// Clients send all of these with every body; the first switches them on. No
// upper bound is written as 0, or as more than there can be.
void ReadChurn(FieldReader& reader, v1::GenerateRequest& request) {
  const auto amount = reader.Number("s_churn", 0, kMaxNumber).value_or(0);
  const auto min = reader.Number("s_tmin", 0, kMaxNumber).value_or(0);
  const auto max = reader.Number("s_tmax", 0, kMaxNumber).value_or(0);
  const auto noise = reader.Number("s_noise", 0, kMaxNumber);
  if (amount <= 0) return;
  v1::Churn& churn = *request.mutable_churn();
  churn.set_amount(amount);
  churn.set_min_sigma(min);
  if (max > 0 && max < kMaxSigma) churn.set_max_sigma(max);
  if (noise.has_value()) churn.set_noise(*noise);
}

// Whether for all requests or for one.
void ReadSettings(FieldReader& settings, v1::GenerateRequest& request) {
  // A1111 counts from 1: one layer, the last, is none left out.
  if (const auto skip =
          settings.Whole("CLIP_stop_at_last_layers", 1, kMaxCount);
      skip.has_value() && *skip > 1) {
    request.set_clip_skip(*skip - 1);
  }
  ReadOutput(settings, request);
  if (settings.Choice("sd_vae_decode_method", {"Full", "TAESD"}) == "TAESD") {
    request.mutable_output()->set_tiny_decoder(true);
  }
  const std::string vae = settings.Text("sd_vae").value_or("");
  if (!vae.empty() && vae != "Automatic" && vae != "None") {
    Lacks(settings, "sd_vae", "autoencoder beside a model's own");
  }
}

void ReadOverrides(FieldReader& reader, const ModelNames& names,
                   v1::GenerateRequest& request) {
  const json* settings = reader.Any("override_settings");
  if (settings == nullptr || !settings->is_object()) return;
  FieldReader overrides(*settings);
  if (const auto model = overrides.Text("sd_model_checkpoint")) {
    request.set_model(names.Resolve(*model));
  }
  ReadSettings(overrides, request);
  const absl::Status status = overrides.status();
  if (!status.ok())
    reader.Fail("override_settings", std::string(status.message()));
}

void ReadStart(FieldReader& reader, v1::GenerateRequest& request) {
  auto& from = *request.mutable_image_to_image();
  ReadSourcePrompt(reader, from);
  const auto strength = reader.Number("denoising_strength", 0, 1);
  if (strength.has_value() || !from.has_inversion()) {
    from.set_strength(strength.value_or(kStrength));
  }
  // Clients send A1111's default whatever the model is; it is ours, too.
  const auto keeps = reader.Number("image_cfg_scale", 0, kMaxGuidanceScale);
  if (keeps.has_value() && *keeps != kDefaultImageGuidanceScale) {
    request.set_image_guidance_scale(*keeps);
  }
  if (reader.Whole("resize_mode", 0, 3).value_or(0) > 1) {
    Lacks(reader, "resize_mode", "filling of margins");
  }
  const json* images = reader.Any("init_images");
  if (images == nullptr || !images->is_array() || images->empty() ||
      !(*images)[0].is_string()) {
    return reader.Fail("init_images", "is not a list of a picture in base64");
  }
  if (images->size() > 1) {
    return Lacks(reader, "init_images", "starting from several pictures");
  }
  auto picture = DecodePicture((*images)[0].get_ref<const std::string&>());
  if (!picture.has_value()) {
    return reader.Fail("init_images", "has a picture that is not base64");
  }
  from.set_image(*std::move(picture));
  ReadA1111Mask(reader, request);
  ReadBorders(reader, request);
}

}  // namespace

const std::vector<std::pair<absl::string_view, absl::string_view>> kA1111Names =
    {{"guidance_scale", "cfg_scale"},
     {"sampler", "sampler_name"},
     {"schedule", "scheduler"},
     {"image_count", "batch_size"},
     {"model", "sd_model_checkpoint"},
     {"clip_skip", "CLIP_stop_at_last_layers"},
     {"variation.seed", "subseed"},
     {"variation.strength", "subseed_strength"},
     {"variation.resize_from_width", "seed_resize_from_w"},
     {"variation.resize_from_height", "seed_resize_from_h"},
     {"best_of.draw", "best_of"},
     {"best_of.scorer", "scorer"},
     {"safety_policy", "safety"},
     {"output.watermark", "watermark"},
     {"output.mark_provenance", "provenance"},
     {"output.tiny_decoder", "sd_vae_decode_method"},
     {"output.format", "samples_format"},
     {"output.embed_parameters", "enable_pnginfo"},
     {"noise_generator", "randn_source"},
     {"churn", "s_churn"},
     {"churn.amount", "s_churn"},
     {"churn.min_sigma", "s_tmin"},
     {"churn.max_sigma", "s_tmax"},
     {"churn.noise", "s_noise"},
     {"image_guidance_scale", "image_cfg_scale"},
     {"image_to_image.image", "init_images"},
     {"image_to_image.strength", "denoising_strength"},
     {"image_to_image.inversion.prompt", "source_prompt"},
     {"image_to_image.inversion", "source_prompt"},
     {"inpainting.mask.data", "mask"},
     {"inpainting.mask_blur", "mask_blur"},
     {"inpainting.padding", "inpaint_full_res_padding"},
     {"inpainting", "mask"}};

absl::StatusOr<json> ReadA1111Settings(const json& body) {
  FieldReader reader(body);
  v1::GenerateRequest ignored;
  ReadSettings(reader, ignored);
  if (!reader.status().ok()) return reader.status();
  json known = json::object();
  for (const char* name :
       {"CLIP_stop_at_last_layers", "samples_format", "enable_pnginfo",
        "randn_source", "sd_vae_decode_method"}) {
    const auto found = body.find(name);
    if (found != body.end() && !found->is_null()) known[name] = *found;
  }
  return known;
}

json WithSettings(json body, const json& settings) {
  if (settings.empty()) return body;
  json& own = body["override_settings"];
  json overrides = settings;
  if (own.is_object()) overrides.update(own);
  own = std::move(overrides);
  return body;
}

absl::StatusOr<A1111Call> ReadA1111(A1111Task task, const json& body,
                                    const ModelNames& names) {
  FieldReader reader(body);
  A1111Call call;
  v1::GenerateRequest& request = call.request;
  ReadPrompts(reader, request);
  if (const auto seed = reader.Seed("seed")) request.set_seed(*seed);
  if (const auto steps = reader.Whole("steps", 1, kMaxCount)) {
    request.set_steps(*steps);
  }
  if (const auto scale = reader.Number("cfg_scale", 0, kMaxGuidanceScale)) {
    request.set_guidance_scale(*scale);
  }
  if (const auto width = reader.Whole("width", 1, kMaxCount)) {
    request.set_width(*width);
  }
  if (const auto height = reader.Whole("height", 1, kMaxCount)) {
    request.set_height(*height);
  }
  ReadSampler(reader, request);
  const auto eta = reader.Number("eta", 0, 1);
  // Clients send it whatever the sampler is.
  if (eta.has_value() && request.sampler() == v1::SAMPLER_DDIM) {
    request.set_eta(*eta);
  }
  ReadChurn(reader, request);
  ReadOverrides(reader, names, request);
  RefuseWhatIsLacking(reader);
  ReadVariation(reader, request);
  ReadPictureFields(reader, request);
  ReadModelFields(reader, request);
  call.parameters = body;
  if (task == A1111Task::kImageToImage) {
    ReadStart(reader, request);
  } else if (!IsEmpty(reader.Any("mask"))) {
    reader.Fail("mask", "is given, but txt2img has no picture that it is of");
  }
  // A unit without a picture follows the one to start from.
  ReadControlNet(body, reader, request, call.parameters);
  if (task == A1111Task::kTextToImage) ReadHires(reader, request);
  // What A1111 has no name for is called as at the other doors.
  ReadSteeringFields(reader, request);
  ReadLoras(reader, request);
  if (const auto share = reader.Number("guidance_rescale", 0, 1)) {
    request.set_guidance_rescale(*share);
  }
  call.batch_size = reader.Whole("batch_size", 1, 64).value_or(1);
  request.set_image_count(call.batch_size *
                          reader.Whole("n_iter", 1, 64).value_or(1));
  call.sends_images = reader.Truth("send_images").value_or(true);
  if (!reader.status().ok()) return reader.status();
  request.mutable_preview()->set_every(kPreviewEvery);
  request.mutable_preview()->set_decoder(v1::PREVIEW_DECODER_LINEAR);
  for (const char* picture : {"init_images", "mask"}) {
    if (call.parameters.contains(picture)) call.parameters[picture] = nullptr;
  }
  return call;
}

}  // namespace genzo
