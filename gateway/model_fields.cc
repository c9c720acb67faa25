#include "gateway/model_fields.h"

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "gateway/door_error.h"
#include "gateway/proto_json.h"

namespace genzo {

using nlohmann::json;

namespace {

constexpr double kMostSeconds = 86400;

struct ModelField {
  const char* name;
  const char* type;  // JSON's
  const char* description;
};
constexpr ModelField kFields[] = {
    {"prompt_2", "string", "What the second text encoder reads."},
    {"negative_prompt_2", "string", "The same of the negative prompt."},
    {"prompt_3", "string", "What the third text encoder reads."},
    {"negative_prompt_3", "string", "The same of the negative prompt."},
    {"class_label", "integer", "The class to paint, from 0 on."},
    {"size_conditioning", "object", "Fields of SizeConditioning."},
    {"true_guidance_scale", "number", "Guidance beside the distilled one."},
    {"image_guidance_scale", "number", "How closely the picture is followed."},
    {"max_sequence_length", "integer", "Tokens that T5 reads."},
    {"refiner", "object", "Fields of Refiner: switch_at and its scores."},
    {"sigmas", "array", "Noise levels of the steps."},
    {"timesteps", "array", "The same as trained timesteps."},
    {"churn", "object", "Fields of Churn: noise added before each step."},
    {"noise_level", "integer", "How much noise covers the picture."},
};

// Of JSON's types those that a form has as texts of JSON.
bool IsStructured(const ModelField& field) {
  return field.type == std::string("object") ||
         field.type == std::string("array");
}

void ReadField(const ModelField& field, FieldReader& reader,
               v1::GenerateRequest& request) {
  std::optional<json> value;
  if (IsStructured(field)) {
    value = Structured(reader, field.name);
  } else if (const json* given = reader.Any(field.name)) {
    value = *given;
  }
  if (!value.has_value()) return;
  // Protobuf would take one number for a list of it.
  const bool is_list = field.type == std::string("array");
  if (is_list && !reader.IsList(field.name, *value)) return;
  v1::GenerateRequest read;
  const absl::Status status = FromJson(Dump(json{{field.name, *value}}), read);
  if (!status.ok() && value->is_structured() && IsStructured(field) &&
      !ViolationsIn(status).empty()) {
    return reader.FailInside("", status);
  }
  if (!status.ok()) {
    return reader.Fail(field.name,
                       absl::StrCat(ShownValue(*value), " is no ", field.type,
                                    " as it is wanted: ", status.message()));
  }
  request.MergeFrom(read);
}

}  // namespace

std::optional<json> Structured(FieldReader& reader, const std::string& name) {
  const json* given = reader.Any(name);
  if (given == nullptr) return std::nullopt;
  if (!given->is_string()) return *given;
  const auto read = ParseJsonObject(
      absl::StrCat("{\"it\": ", given->get_ref<const std::string&>(), "}"));
  if (read.ok()) return read->value("it", json());
  reader.Fail(name, absl::StrCat(ShownValue(*given), " is not JSON"));
  return std::nullopt;
}

bool ReadMessage(FieldReader& reader, const std::string& name,
                 google::protobuf::Message& message) {
  const auto given = Structured(reader, name);
  if (!given.has_value()) return false;
  if (!reader.IsObject(name, *given)) return true;
  const absl::Status read = FromJson(Dump(*given), message);
  if (!read.ok()) reader.FailInside(name, read);
  return true;
}

void ReadModelFields(FieldReader& reader, v1::GenerateRequest& request) {
  for (const ModelField& field : kFields) ReadField(field, reader, request);
  v1::NoiseGenerator generator = v1::NOISE_GENERATOR_UNSPECIFIED;
  if (v1::NoiseGenerator_Parse(
          absl::StrCat("NOISE_GENERATOR_",
                       absl::AsciiStrToUpper(reader.Choice(
                           "noise_generator", {"default", "cpu", "cuda"}))),
          &generator)) {
    request.set_noise_generator(generator);
  }
  v1::Priority priority = v1::PRIORITY_UNSPECIFIED;
  if (v1::Priority_Parse(
          absl::StrCat("PRIORITY_",
                       absl::AsciiStrToUpper(reader.Choice(
                           "priority", {"default", "low", "normal", "high"}))),
          &priority)) {
    request.set_priority(priority);
  }
  if (const auto seconds = reader.Number("time_limit", 0, kMostSeconds)) {
    auto& limit = *request.mutable_time_limit();
    limit.set_seconds(static_cast<int64_t>(*seconds));
    limit.set_nanos(static_cast<int32_t>((*seconds - limit.seconds()) * 1e9));
  }
}

json Described(const std::string& type, const std::string& description) {
  return {{"type", type}, {"description", description}};
}

json ModelFieldSchemas() {
  json schemas = json::object();
  for (const ModelField& field : kFields) {
    schemas[field.name] = {{"type", field.type},
                           {"description", field.description}};
  }
  for (const char* list : {"sigmas", "timesteps"}) {
    schemas[list]["items"] = {{"type", "number"}};
  }
  schemas["noise_generator"] = {
      {"type", "string"},
      {"enum", {"default", "cpu", "cuda"}},
      {"description", "Whose random numbers the seed gives."}};
  schemas["priority"] = {{"type", "string"},
                         {"enum", {"default", "low", "normal", "high"}},
                         {"description", "Among the caller's own jobs."}};
  schemas["time_limit"] = {{"type", "number"},
                           {"description", "Seconds to the job's end."}};
  return schemas;
}

}  // namespace genzo
