#include "gateway/a1111_settings.h"

#include <utility>

#include "absl/strings/str_cat.h"

namespace genzo {

using nlohmann::json;

namespace {

bool IsEmptyList(const json& value) {
  return value.is_array() && value.empty();
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
    FailAsLacking(settings, "sd_vae", "autoencoder beside a model's own");
  }
}

}  // namespace

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
  if (IsEmptyList(own)) own = nullptr;
  if (!own.is_object() && !own.is_null()) return body;  // it is refused
  json overrides = settings;
  if (own.is_object()) overrides.update(own);
  own = std::move(overrides);
  return body;
}

void ReadA1111Overrides(FieldReader& reader, const ModelNames& names,
                        v1::GenerateRequest& request) {
  const json* settings = ReadMap(reader, "override_settings");
  if (settings == nullptr) return;
  FieldReader overrides(reader, *settings, "override_settings");
  if (const auto model = overrides.Text("sd_model_checkpoint")) {
    request.set_model(names.Resolve(*model));
  }
  ReadSettings(overrides, request);
  reader.Add(overrides);
}

const json* ReadMap(FieldReader& reader, const std::string& name) {
  const json* value = reader.Any(name);
  return value != nullptr && IsEmptyList(*value) ? nullptr
                                                 : reader.Object(name);
}

void FailAsLacking(FieldReader& reader, const std::string& name,
                   const std::string& what) {
  reader.Fail(name,
              absl::StrCat("is given, but this server has no ", what, " yet"));
}

}  // namespace genzo
