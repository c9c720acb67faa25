#include "gateway/proto_schemas.h"

#include <cstdint>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "gateway/enum_words.h"

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

// An object of the message's fields and no others; `schema_of` gives each.
template <typename SchemaOf>
json ObjectSchema(const Descriptor& message, const SchemaOf& schema_of) {
  json properties = json::object();
  for (int i = 0; i < message.field_count(); ++i) {
    const FieldDescriptor& field = *message.field(i);
    json schema = schema_of(field);
    if (field.is_repeated()) schema = {{"type", "array"}, {"items", schema}};
    properties[field.name()] = std::move(schema);
  }
  return {{"type", "object"},
          {"properties", properties},
          {"additionalProperties", false}};
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
  return schema;
}

json WholeFieldSchema(const FieldDescriptor& field) {
  json schema;
  switch (field.cpp_type()) {
    case FieldDescriptor::CPPTYPE_MESSAGE:
      if (!AddWellKnown(*field.message_type(), schema)) {
        schema = WholeSchema(*field.message_type());
      }
      break;
    case FieldDescriptor::CPPTYPE_ENUM:
      schema = {{"type", "string"}, {"enum", WordsOf(*field.enum_type())}};
      break;
    case FieldDescriptor::CPPTYPE_INT64:
      schema = {{"type", "integer"}};
      break;
    case FieldDescriptor::CPPTYPE_UINT64:
      schema = {{"type", "integer"}, {"minimum", 0}, {"maximum", UINT64_MAX}};
      break;
    default:
      schema = ScalarSchema(field);
  }
  return schema;
}

}  // namespace

void AddSchemas(const Descriptor& message, json& schemas) {
  if (schemas.contains(message.name())) return;
  schemas[message.name()] = json::object();  // it may hold itself
  schemas[message.name()] =
      ObjectSchema(message, [&](const FieldDescriptor& field) {
        return FieldSchema(field, schemas);
      });
}

json WholeSchema(const Descriptor& message) {
  return ObjectSchema(message, WholeFieldSchema);
}

void OpenObjects(const Descriptor& message, json& schemas) {
  for (auto schema = schemas.begin(); schema != schemas.end(); ++schema) {
    const FieldDescriptor* field = message.FindFieldByName(schema.key());
    if (field == nullptr || field->message_type() == nullptr ||
        field->is_repeated() || schema->value("type", "") != "object") {
      continue;
    }
    schema->update(WholeSchema(*field->message_type()));
  }
}

}  // namespace genzo
