#include "gateway/proto_json.h"

#include <algorithm>
#include <set>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "base/errors.h"
#include "gateway/door_error.h"
#include "gateway/enum_words.h"
#include "gateway/json_body.h"
#include "gateway/near_names.h"
#include "google/protobuf/util/json_util.h"

namespace genzo {

using google::protobuf::Descriptor;
using google::protobuf::FieldDescriptor;
using nlohmann::json;

namespace {

constexpr char kDuration[] = "google.protobuf.Duration";
constexpr char kTimestamp[] = "google.protobuf.Timestamp";
constexpr char kObject[] = "an object";
constexpr char kList[] = "a list";
constexpr char kNoField[] = " is not a field of this";
// Protobuf's words.
constexpr char kUnknownField[] = "Cannot find field.";
constexpr char kSetBefore[] = "invalid value oneof field";
constexpr char kObjectOnScalar[] =
    "invalid value Starting an object on a scalar field for type ";

// "; did you mean request.prompt?" of a field at `path` that there is not.
std::string HintFor(const std::string& path, const Descriptor& message) {
  const Descriptor* inside = &message;
  std::vector<std::string> parts = absl::StrSplit(path, '.');
  const std::string name = parts.back();
  parts.pop_back();
  for (const std::string& part : parts) {
    const auto* field = FieldNamed(*inside, part.substr(0, part.find('[')));
    inside = field == nullptr ? nullptr : field->message_type();
    if (inside == nullptr) return "";
  }
  std::set<std::string> known;
  for (int i = 0; i < inside->field_count(); ++i) {
    known.insert(inside->field(i)->name());
  }
  return DidYouMean(name, known, *inside);
}

// What protobuf says of a field: "(request.steps): invalid value ...",
// "(request) stepz: Cannot find field." or, of the outermost message, "stepz:
// Cannot find field."; without a field if it is none of these. Of an object
// where none may be it names the field last: "(request): invalid value Starting
// an object on a scalar field for type steps".
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
  absl::string_view what = rest.substr(colon + 2);
  std::string field(place);
  absl::StrAppend(&field, place.empty() || name.empty() ? "" : ".", name);
  if (absl::ConsumePrefix(&what, kObjectOnScalar)) {
    absl::StrAppend(&field, field.empty() ? "" : ".", what);
    what = "invalid";
  }
  if (absl::StartsWith(what, kSetBefore)) {
    return {field, absl::StrCat(field, " has a field twice, or two fields of ",
                                "which it may have one")};
  }
  if (what == kUnknownField) {
    return {field, absl::StrCat(field, kNoField)};
  }
  return {field, absl::StrCat(field, ": ", what)};
}

// What a value of `field`, or with `in_list` of one in it, is to be.
std::string WantedOf(const FieldDescriptor& field, bool in_list) {
  if (field.is_repeated() && !in_list) return kList;
  const auto whole = [](auto least, auto most) {
    return absl::StrCat("a whole number from ", least, " to ", most);
  };
  switch (field.cpp_type()) {
    case FieldDescriptor::CPPTYPE_BOOL:
      return "true or false";
    case FieldDescriptor::CPPTYPE_DOUBLE:
    case FieldDescriptor::CPPTYPE_FLOAT:
      return "a number";
    case FieldDescriptor::CPPTYPE_INT32:
      return whole(INT32_MIN, INT32_MAX);
    case FieldDescriptor::CPPTYPE_UINT32:
      return whole(0, UINT32_MAX);
    case FieldDescriptor::CPPTYPE_INT64:
      return whole(INT64_MIN, INT64_MAX);
    case FieldDescriptor::CPPTYPE_UINT64:
      return whole(0, UINT64_MAX);
    case FieldDescriptor::CPPTYPE_ENUM:
      return absl::StrCat("one of ",
                          absl::StrJoin(WordsOf(*field.enum_type()), ", "));
    case FieldDescriptor::CPPTYPE_MESSAGE:
      break;
    default:
      return field.type() == FieldDescriptor::TYPE_BYTES ? "bytes in base64"
                                                         : "a text";
  }
  const std::string& message = field.message_type()->full_name();
  if (message == kDuration) return "a duration as \"1.5s\"";
  if (message == kTimestamp) return "a time as \"2030-01-31T12:00:00Z\"";
  return kObject;
}

// "steps -1 is not a whole number from 0 to 4294967295" for the field at
// `path`, "request.loras[0].weight", of a message that was to be read from
// `body`; empty if the path leads nowhere in one of them.
std::string SentenceOf(const std::string& path, const Descriptor& message,
                       const json& body) {
  const Descriptor* inside = &message;
  const FieldDescriptor* field = nullptr;
  const json* value = &body;
  bool in_list = false;
  for (const absl::string_view part : absl::StrSplit(path, '.')) {
    const size_t bracket = std::min(part.find('['), part.size());
    const std::string name(part.substr(0, bracket));
    if (inside == nullptr || !value->is_object()) return "";
    field = FieldNamed(*inside, name);
    if (field == nullptr) return "";
    auto found = value->find(name);
    if (found == value->end()) found = value->find(field->json_name());
    if (found == value->end()) return "";
    value = &*found;
    inside = field->message_type();
    in_list = bracket < part.size();
    if (!in_list) continue;
    absl::string_view digits = part.substr(bracket + 1);
    size_t index = 0;
    if (!absl::ConsumeSuffix(&digits, "]") ||
        !absl::SimpleAtoi(digits, &index) || !value->is_array() ||
        index >= value->size()) {
      return "";
    }
    value = &(*value)[index];
  }
  const std::string wanted = WantedOf(*field, in_list);
  // Then something else is wrong with it.
  if ((wanted == kObject && value->is_object()) ||
      (wanted == kList && value->is_array())) {
    return "";
  }
  return absl::StrCat(path, " ", ShownValue(*value), " is not ", wanted);
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
  auto checked = ParseJsonObject(text);
  if (!checked.ok()) return checked.status();
  const std::string spelt =
      SpellOutWords(*message.GetDescriptor(), *checked) ? Dump(*checked) : "";
  if (!spelt.empty()) text = spelt;
  const auto status = google::protobuf::util::JsonStringToMessage(
      {text.data(), text.size()}, &message);
  if (status.ok()) return absl::OkStatus();
  const std::string why(status.message());
  FieldViolation fault = FaultOf({why.data(), why.size()});
  if (fault.field.empty()) return absl::InvalidArgumentError(why);
  if (absl::EndsWith(fault.description, kNoField)) {
    fault.description += HintFor(fault.field, *message.GetDescriptor());
  }
  const std::string sentence =
      SentenceOf(fault.field, *message.GetDescriptor(), *checked);
  if (!sentence.empty()) fault.description = sentence;
  return InvalidFieldsError({fault});
}

}  // namespace genzo
