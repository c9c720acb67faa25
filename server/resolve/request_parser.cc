#include "server/resolve/request_parser.h"

#include <vector>

#include "absl/strings/str_cat.h"
#include "base/errors.h"
#include "base/utf8.h"
#include "google/protobuf/descriptor.h"
#include "google/protobuf/unknown_field_set.h"

namespace genzo {
namespace {

using google::protobuf::Descriptor;
using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using google::protobuf::UnknownField;
using google::protobuf::UnknownFieldSet;

std::string Join(const std::string& path, const std::string& name) {
  return path.empty() ? name : absl::StrCat(path, ".", name);
}

// The path of a text in `fields`, a message of `type`, that is not UTF-8; empty
// if there is none.
std::string BadText(const UnknownFieldSet& fields, const Descriptor& type,
                    const std::string& path) {
  for (int i = 0; i < fields.field_count(); ++i) {
    const UnknownField& field = fields.field(i);
    const FieldDescriptor* known = type.FindFieldByNumber(field.number());
    if (known == nullptr ||
        field.type() != UnknownField::TYPE_LENGTH_DELIMITED) {
      continue;
    }
    const std::string name = Join(path, known->name());
    if (known->type() == FieldDescriptor::TYPE_STRING &&
        !IsUtf8(field.length_delimited())) {
      return name;
    }
    UnknownFieldSet inner;
    if (known->type() == FieldDescriptor::TYPE_MESSAGE &&
        inner.ParseFromString(field.length_delimited())) {
      const std::string bad = BadText(inner, *known->message_type(), name);
      if (!bad.empty()) return bad;
    }
  }
  return "";
}

bool HasRoom(const std::vector<FieldViolation>& violations) {
  return violations.size() < kMostViolations;
}

void CollectUnknown(const Message& message, const std::string& path,
                    std::vector<FieldViolation>& violations) {
  const auto& reflection = *message.GetReflection();
  const UnknownFieldSet& unknown = reflection.GetUnknownFields(message);
  for (int i = 0; i < unknown.field_count() && HasRoom(violations); ++i) {
    const std::string number = absl::StrCat(unknown.field(i).number());
    violations.push_back(
        {Join(path, number),
         absl::StrCat("field ", number, " of ",
                      message.GetDescriptor()->full_name(),
                      path.empty() ? "" : absl::StrCat(" (", path, ")"),
                      " is not known to this server")});
  }
  std::vector<const FieldDescriptor*> fields;
  reflection.ListFields(message, &fields);
  for (const FieldDescriptor* field : fields) {
    if (field->cpp_type() != FieldDescriptor::CPPTYPE_MESSAGE) continue;
    if (!HasRoom(violations)) return;
    const std::string name = Join(path, field->name());
    if (!field->is_repeated()) {
      CollectUnknown(reflection.GetMessage(message, field), name, violations);
      continue;
    }
    const int count = reflection.FieldSize(message, field);
    for (int i = 0; i < count && HasRoom(violations); ++i) {
      CollectUnknown(reflection.GetRepeatedMessage(message, field, i),
                     absl::StrCat(name, "[", i, "]"), violations);
    }
  }
}

absl::Status Malformed(const std::string& message) {
  return ErrorWithReason(absl::StatusCode::kInvalidArgument,
                         "MALFORMED_REQUEST", message);
}

}  // namespace

absl::Status ParseRequest(const std::string& bytes, Message& request) {
  if (!request.ParseFromString(bytes)) {
    const Descriptor& type = *request.GetDescriptor();
    UnknownFieldSet fields;
    const std::string bad =
        fields.ParseFromString(bytes) ? BadText(fields, type, /*path=*/"") : "";
    return Malformed(bad.empty() ? absl::StrCat("the request is not a ",
                                                type.full_name(),
                                                " message: it is "
                                                "cut short or damaged")
                                 : absl::StrCat(bad, " is not valid UTF-8"));
  }
  std::vector<FieldViolation> violations;
  CollectUnknown(request, /*path=*/"", violations);
  return violations.empty() ? absl::OkStatus() : InvalidFieldsError(violations);
}

}  // namespace genzo
