#include "gateway/proto_json.h"

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "base/errors.h"
#include "gateway/json_body.h"
#include "google/protobuf/util/json_util.h"

namespace genzo {

using google::protobuf::Descriptor;
using google::protobuf::EnumDescriptor;
using google::protobuf::FieldDescriptor;
using nlohmann::json;

namespace {

std::string Reference(const std::string& name) {
  return absl::StrCat("#/components/schemas/", name);
}

json EnumSchema(const EnumDescriptor& descriptor) {
  json names = json::array();
  for (int i = 0; i < descriptor.value_count(); ++i) {
    names.push_back(descriptor.value(i)->name());
  }
  return {{"type", "string"}, {"enum", names}};
}

json ScalarSchema(const FieldDescriptor& field) {
  switch (field.cpp_type()) {
    case FieldDescriptor::CPPTYPE_BOOL:
      return {{"type", "boolean"}};
    case FieldDescriptor::CPPTYPE_DOUBLE:
    case FieldDescriptor::CPPTYPE_FLOAT:
      return {{"type", "number"}};
    case FieldDescriptor::CPPTYPE_INT32:
      return {{"type", "integer"}, {"format", "int32"}};
    case FieldDescriptor::CPPTYPE_UINT32:
      return {{"type", "integer"}, {"minimum", 0}, {"maximum", UINT32_MAX}};
    // Numbers of JavaScript cannot hold them.
    case FieldDescriptor::CPPTYPE_INT64:
      return {{"type", "string"}, {"pattern", "^-?[0-9]{1,18}$"}};
    case FieldDescriptor::CPPTYPE_UINT64:
      return {{"type", "string"}, {"pattern", "^[0-9]{1,19}$"}};
    default:
      break;
  }
  if (field.type() == FieldDescriptor::TYPE_BYTES) {
    return {{"type", "string"}, {"contentEncoding", "base64"}};
  }
  return {{"type", "string"}};
}

// Messages that the mapping writes in a way of their own.
bool AddWellKnown(const Descriptor& message, json& schema) {
  if (message.full_name() == "google.protobuf.Duration") {
    schema = {{"type", "string"}, {"pattern", "^[0-9]{1,6}(\\.[0-9]{1,9})?s$"}};
  } else if (message.full_name() == "google.protobuf.Timestamp") {
    schema = {{"type", "string"}, {"format", "date-time"}};
  } else if (message.full_name() == "google.protobuf.Any") {
    schema = {{"type", "object"}};
  } else {
    return false;
  }
  return true;
}

// What protobuf says of a field: "(request.steps): invalid value ...",
// "(request) stepz: Cannot find field." or, of the outermost message, "stepz:
// Cannot find field."; without a field if it is none of these.
FieldViolation FaultOf(absl::string_view why) {
  absl::string_view place;
  absl::string_view rest = why;
  const size_t end = why.find(')');
  if (absl::ConsumePrefix(&rest, "(") && end != absl::string_view::npos) {
    place = why.substr(1, end - 1);
    rest = why.substr(end + 1);
  }
  const size_t colon = rest.find(": ");
  if (colon == absl::string_view::npos) return {};
  const absl::string_view name =
      absl::StripAsciiWhitespace(rest.substr(0, colon));
  if (place.empty() && absl::StrContains(name, ' ')) return {};
  std::string field(place);
  absl::StrAppend(&field, place.empty() || name.empty() ? "" : ".", name);
  return {field, absl::StrCat(field, ": ", rest.substr(colon + 2))};
}

json FieldSchema(const FieldDescriptor& field, json& schemas) {
  json schema;
  if (field.cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE) {
    if (!AddWellKnown(*field.message_type(), schema)) {
      AddSchemas(*field.message_type(), schemas);
      schema = {{"$ref", Reference(field.message_type()->name())}};
    }
  } else if (field.cpp_type() == FieldDescriptor::CPPTYPE_ENUM) {
    schemas[field.enum_type()->name()] = EnumSchema(*field.enum_type());
    schema = {{"$ref", Reference(field.enum_type()->name())}};
  } else {
    schema = ScalarSchema(field);
  }
  if (!field.is_repeated()) return schema;
  return {{"type", "array"}, {"items", schema}};
}

}  // namespace

std::string ToJson(const google::protobuf::Message& message) {
  google::protobuf::util::JsonPrintOptions options;
  options.preserve_proto_field_names = true;
  // Zeros are meant: image 0, position 0.
  options.always_print_primitive_fields = true;
  std::string text;
  const auto status =
      google::protobuf::util::MessageToJsonString(message, &text, options);
  return status.ok() ? text : "{}";
}

absl::Status FromJson(absl::string_view text,
                      google::protobuf::Message& message) {
  const auto checked = ParseJsonObject(text);
  if (!checked.ok()) return checked.status();
  const auto status = google::protobuf::util::JsonStringToMessage(
      {text.data(), text.size()}, &message);
  if (status.ok()) return absl::OkStatus();
  const std::string why(status.message());
  const FieldViolation fault = FaultOf({why.data(), why.size()});
  if (fault.field.empty()) return absl::InvalidArgumentError(why);
  return InvalidFieldsError({fault});
}

void AddSchemas(const Descriptor& message, json& schemas) {
  if (schemas.contains(message.name())) return;
  schemas[message.name()] = json::object();  // it may hold itself
  json properties = json::object();
  for (int i = 0; i < message.field_count(); ++i) {
    const FieldDescriptor& field = *message.field(i);
    properties[field.name()] = FieldSchema(field, schemas);
  }
  schemas[message.name()] = {{"type", "object"},
                             {"properties", properties},
                             {"additionalProperties", false}};
}

}  // namespace genzo
