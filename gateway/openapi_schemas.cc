#include "gateway/openapi_schemas.h"

#include "base/upscale_plan.h"
#include "gateway/loras.h"
#include "gateway/model_fields.h"
#include "gateway/openapi_values.h"
#include "gateway/picture_fields.h"
#include "gateway/proto_schemas.h"
#include "gateway/start_fields.h"
#include "gateway/steering_fields.h"

namespace genzo {

using nlohmann::json;

namespace {

// The fields of pictures that every OpenAI path takes.
json ImageFields() {
  json fields = {{"prompt", Text()},
                 {"negative_prompt", Text()},
                 {"model", Text()},
                 {"n", Whole(1, 10)},
                 {"size",
                  {{"type", "string"},
                   {"pattern", "^(auto|[1-9][0-9]{1,3}x[1-9][0-9]{1,3})$"}}},
                 {"seed", Seed()},
                 {"num_inference_steps", Whole(1, 1000)},
                 {"guidance_scale", Number(0, 100)},
                 {"guidance_rescale", Number(0, 1)},
                 {"eta", Number(0, 1)},
                 {"clip_skip", Whole(0, 32)},
                 {"sampler", Text()},
                 {"scheduler", Text()},
                 {"loras", {{"anyOf", {Text(), LorasSchema()}}}},
                 {"response_format", OneOf({"b64_json", "url"})},
                 {"quality", OneOf({"auto", "standard", "hd", "low", "medium",
                                    "high", "xhigh", "max"})},
                 {"style", OneOf({"vivid", "natural"})},
                 {"background", OneOf({"auto", "opaque", "transparent"})},
                 {"moderation", OneOf({"auto", "low"})},
                 {"input_fidelity", OneOf({"low", "high"})},
                 {"stream", {{"type", "boolean"}}},
                 {"partial_images", Whole(0, 3)},
                 {"user", Text()}};
  fields.update(FileFormatSchemas());
  fields.update(PictureFieldSchemas());
  fields.update(SteeringSchemas());
  fields.update(ModelFieldSchemas());
  OpenObjects(*v1::GenerateRequest::descriptor(), fields);
  return fields;
}

json UpscaleFields() {
  json fields = {
      {"image", {{"type", "string"}, {"format", "binary"}}},
      {"upscaler", Text()},
      {"factor", Number(0, kMaxUpscaleFactor)},
      {"stream", Described("boolean",
                           "Answer with events: image_upscale.progress for "
                           "each tile, then image_upscale.completed.")}};
  const json painted = ImageFields();
  for (const char* same : {"size", "output_format", "output_compression",
                           "response_format", "user"}) {
    fields[same] = painted[same];
  }
  return fields;
}

json Object(const json& properties, const json& required) {
  return {{"type", "object"},
          {"properties", properties},
          {"required", required},
          {"additionalProperties", false}};
}

// As OpenAI has lists.
json ListOf(const std::string& entry) {
  return {{"type", "object"},
          {"properties",
           {{"object", Text()},
            {"data", {{"type", "array"}, {"items", Ref(entry)}}}}},
          {"required", {"object", "data"}}};
}

}  // namespace

json OpenAiSchemas() {
  json nullable = {{"type", {"string", "null"}}};
  json form = ImageFields();
  form["image"] = {{"type", "string"}, {"format", "binary"}};
  form.update(StartSchemas());
  json variation = form;
  form["mask"] = {{"type", "string"}, {"format", "binary"}};
  form.update(MaskSchemas());
  OpenObjects(*v1::ImageToImage::descriptor(), form);
  return {{"ImageRequest", Object(ImageFields(), {"prompt"})},
          {"ImageEdit", Object(form, {"prompt", "image"})},
          {"ImageVariation", Object(variation, {"image"})},
          {"ImageUpscale", Object(UpscaleFields(), {"image"})},
          {"Images",
           {{"type", "object"},
            {"properties",
             {{"created", {{"type", "integer"}}},
              {"data", {{"type", "array"}, {"items", {{"type", "object"}}}}},
              {"usage", {{"type", "object"}}}}},
            {"required", {"created", "data", "usage"}}}},
          {"Models", ListOf("ModelEntry")},
          {"Loras", ListOf("Lora")},
          {"Upscalers", ListOf("Upscaler")},
          {"ModelEntry",
           {{"type", "object"},
            {"properties", {{"id", Text()}}},
            {"required", {"id"}}}},
          {"OpenAiError", Object({{"error", Object({{"message", Text()},
                                                    {"type", Text()},
                                                    {"param", nullable},
                                                    {"code", nullable}},
                                                   {"message", "type"})}},
                                 {"error"})},
          {"RpcError",
           {{"type", "object"},
            {"properties",
             {{"error",
               {{"type", "object"},
                {"properties",
                 {{"code", {{"type", "integer"}}},
                  {"status", Text()},
                  {"reason", Text()},
                  {"message", Text()}}}}}}},
            {"required", {"error"}}}}};
}

json WebUiSchema(const std::string& path) {
  const bool has_start = path == "/sdapi/v1/img2img";
  if (!has_start && path != "/sdapi/v1/txt2img") return {{"type", "object"}};
  const json truth = {{"type", "boolean"}};
  const json object = {{"type", "object"}};
  json fields = {{"prompt", Text()},
                 {"negative_prompt", Text()},
                 {"seed", Seed()},
                 {"subseed", Seed()},
                 {"subseed_strength", Number(0, 1)},
                 {"steps", Whole(1, 1000)},
                 {"cfg_scale", Number(0, 100)},
                 {"width", Whole(1, UINT32_MAX)},
                 {"height", Whole(1, UINT32_MAX)},
                 {"batch_size", Whole(1, 64)},
                 {"n_iter", Whole(1, 64)},
                 {"sampler_name", Text()},
                 {"scheduler", Text()},
                 {"denoising_strength", Number(0, 1)},
                 {"override_settings", object},
                 {"alwayson_scripts", object},
                 {"send_images", truth}};
  if (!has_start) {
    fields.update({{"enable_hr", truth},
                   {"hr_scale", Number(0, 100)},
                   {"hr_upscaler", Text()},
                   {"hr_second_pass_steps", Whole(0, 1000)}});
    return {{"type", "object"}, {"properties", fields}};
  }
  const json picture = {{"type", "string"}, {"contentEncoding", "base64"}};
  fields.update({{"init_images",
                  {{"type", "array"},
                   {"items", picture},
                   {"minItems", 1},
                   {"maxItems", 1}}},
                 {"mask", picture},
                 {"mask_blur", Whole(0, 1000)},
                 {"resize_mode", Whole(0, 2)}});
  return {{"type", "object"},
          {"properties", fields},
          {"required", {"init_images"}}};
}

}  // namespace genzo
