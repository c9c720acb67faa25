#include "gateway/json_body.h"

#include <cmath>
#include <limits>

#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/strip.h"
#include "base/json_shape.h"
#include "base/shortest_digits.h"
#include "gateway/door_error.h"
#include "gateway/near_names.h"
#include "genzo/v1/image_generation.pb.h"

namespace genzo {

using nlohmann::json;

namespace {

// A body may have any number of fields, each of which takes time to guess at.
constexpr size_t kMostHints = 8;
constexpr uint64_t kMostSeed = std::numeric_limits<uint64_t>::max();

std::string Description(const JsonFault& fault) {
  switch (fault.kind) {
    case JsonFault::Kind::kTooDeep:
      return absl::StrCat("is nested deeper than ", kMaxBodyDepth, " levels");
    case JsonFault::Kind::kRepeatedKey:
      return absl::StrCat("has ", ShownValue(json(fault.key)), " twice");
    default:
      return absl::StrCat("is not JSON at byte ", fault.position);
  }
}

}  // namespace

absl::StatusOr<json> ParseJsonBody(absl::string_view text) {
  const auto fault = FindJsonFault({text.data(), text.size()}, kMaxBodyDepth,
                                   /*unique_top_keys=*/true);
  if (fault.has_value()) {
    return absl::InvalidArgumentError(
        absl::StrCat("the body ", Description(*fault)));
  }
  return json::parse(text, /*cb=*/nullptr, /*allow_exceptions=*/false);
}

absl::StatusOr<json> ParseJsonObject(absl::string_view text) {
  auto parsed = ParseJsonBody(text);
  if (!parsed.ok() || parsed->is_object()) return parsed;
  return absl::InvalidArgumentError("the body is not a JSON object");
}

const json* FieldReader::Any(const std::string& name) {
  known_.insert(name);
  const auto found = object_.find(name);
  return found == object_.end() || found->is_null() ? nullptr : &*found;
}

void FieldReader::Fail(const std::string& name,
                       const std::string& description) {
  const std::string path = PathOf(name);
  violations_.push_back({path, absl::StrCat(path, " ", description)});
}

void FieldReader::FailInside(const std::string& name,
                             const absl::Status& status) {
  const std::string path = PathOf(name);
  const auto faults = ViolationsIn(status);
  if (faults.empty()) Fail(name, std::string(status.message()));
  for (const FieldViolation& fault : faults) {
    const std::string at = Inside(path, fault.field);
    absl::string_view what = fault.description;
    absl::ConsumePrefix(&what, fault.field);
    violations_.push_back({at, absl::StrCat(at, what)});
  }
}

void FieldReader::Add(const FieldReader& inner) {
  violations_.insert(violations_.end(), inner.violations_.begin(),
                     inner.violations_.end());
}

const json* FieldReader::Object(const std::string& name) {
  const json* value = Any(name);
  return value == nullptr || IsObject(name, *value) ? value : nullptr;
}

const json* FieldReader::List(const std::string& name) {
  const json* value = Any(name);
  return value == nullptr || IsList(name, *value) ? value : nullptr;
}

bool FieldReader::IsObject(const std::string& name, const json& value) {
  if (value.is_object()) return true;
  Fail(name, absl::StrCat(ShownValue(value), " is not an object"));
  return false;
}

bool FieldReader::IsList(const std::string& name, const json& value) {
  if (value.is_array()) return true;
  Fail(name, absl::StrCat(ShownValue(value), " is not a list"));
  return false;
}

bool FieldReader::HasRoomFor(const std::string& name, const json& list) {
  if (list.size() <= kMaxListEntries) return true;
  Fail(name, absl::StrCat("has ", list.size(), " entries, which are more than ",
                          kMaxListEntries));
  return false;
}

std::optional<std::string> FieldReader::Text(const std::string& name) {
  const json* value = Any(name);
  if (value == nullptr) return std::nullopt;
  if (value->is_string()) return value->get<std::string>();
  Fail(name, absl::StrCat(ShownValue(*value), " is not a text"));
  return std::nullopt;
}

std::optional<double> FieldReader::Number(const std::string& name, double min,
                                          double max) {
  const json* value = Any(name);
  if (value == nullptr) return std::nullopt;
  double number = NAN;
  if (value->is_number()) {
    number = value->get<double>();
  } else if (values_ == Values::kMayBeText && value->is_string() &&
             !absl::SimpleAtod(value->get<std::string>(), &number)) {
    number = NAN;
  }
  if (number >= min && number <= max) return number;
  Fail(name, absl::StrCat(ShownValue(*value), " is not a number from ",
                          ShortestDigits(min), " to ", ShortestDigits(max)));
  return std::nullopt;
}

std::optional<absl::int128> FieldReader::WholeOf(const json& value) const {
  absl::int128 read = 0;
  if (value.is_number_unsigned()) return value.get<uint64_t>();
  if (value.is_number_integer()) return value.get<int64_t>();
  if (value.is_number_float()) {
    // Some clients have only one kind of number: 20.0.
    const double real = value.get<double>();
    if (std::abs(real) < 9e15 && real == std::floor(real)) {
      return static_cast<int64_t>(real);
    }
  } else if (values_ == Values::kMayBeText && value.is_string() &&
             absl::SimpleAtoi(value.get<std::string>(), &read)) {
    return read;
  }
  return std::nullopt;
}

std::optional<int64_t> FieldReader::Whole(const std::string& name, int64_t min,
                                          int64_t max) {
  const json* value = Any(name);
  if (value == nullptr) return std::nullopt;
  const auto number = WholeOf(*value);
  if (number.has_value() && *number >= min && *number <= max) {
    return static_cast<int64_t>(*number);
  }
  Fail(name, absl::StrCat(ShownValue(*value), " is not a whole number from ",
                          min, " to ", max));
  return std::nullopt;
}

std::optional<uint64_t> FieldReader::Seed(const std::string& name) {
  const json* value = Any(name);
  if (value == nullptr) return std::nullopt;
  const auto number = WholeOf(*value);
  if (number == -1) return std::nullopt;
  if (number.has_value() && *number >= 0 && *number <= kMostSeed) {
    return static_cast<uint64_t>(*number);
  }
  Fail(name, absl::StrCat(ShownValue(*value), " is not a whole number from -1",
                          " to ", kMostSeed));
  return std::nullopt;
}

std::optional<bool> FieldReader::Truth(const std::string& name) {
  const json* value = Any(name);
  if (value == nullptr) return std::nullopt;
  if (value->is_boolean()) return value->get<bool>();
  bool truth = false;
  if (values_ == Values::kMayBeText && value->is_string() &&
      absl::SimpleAtob(value->get<std::string>(), &truth)) {
    return truth;
  }
  Fail(name, absl::StrCat(ShownValue(*value), " is neither true nor false"));
  return std::nullopt;
}

std::string FieldReader::Choice(const std::string& name,
                                const std::vector<std::string>& choices) {
  const auto text = Text(name);
  if (!text.has_value()) return choices[0];
  for (const std::string& choice : choices) {
    if (*text == choice) return choice;
  }
  Fail(name, absl::StrCat(ShownValue(*text), " is not one of ",
                          absl::StrJoin(choices, ", ")));
  return choices[0];
}

std::string FieldReader::HintFor(const std::string& name,
                                 const FieldNames& names) const {
  const std::string own = OwnName(names, name).value_or("");
  if (known_.count(own) > 0) return MeantInstead(own);
  return DidYouMean(name, known_, *v1::GenerateRequest::descriptor());
}

void FieldReader::RefuseTheRest(const FieldNames& names) {
  size_t hints = 0;
  for (const auto& [name, value] : object_.items()) {
    if (known_.count(name) > 0) continue;
    const std::string path = PathOf(name);
    const std::string hint = ++hints > kMostHints ? "" : HintFor(name, names);
    violations_.push_back(
        {path, absl::StrCat(ShownValue(json(path)), " is not a field of this",
                            hint)});
  }
}

absl::Status FieldReader::status() const {
  if (violations_.empty()) return absl::OkStatus();
  return InvalidFieldsError(violations_);
}

std::string ShownValue(const json& value) {
  if (value.is_object()) return "{...}";
  if (value.is_array()) return "[...]";
  std::string text = value.dump(-1, ' ', /*ensure_ascii=*/true,
                                json::error_handler_t::replace);
  constexpr size_t kMaxBytes = 100;
  if (text.size() > kMaxBytes) text = text.substr(0, kMaxBytes) + "...";
  return text;
}

std::optional<std::string> DecodePicture(absl::string_view text) {
  if (absl::StartsWith(text, "data:")) {
    const size_t comma = text.find(',');
    if (comma == absl::string_view::npos ||
        !absl::EndsWith(text.substr(0, comma), ";base64")) {
      return std::nullopt;
    }
    text.remove_prefix(comma + 1);
  }
  std::string bytes;
  if (!absl::Base64Unescape(text, &bytes)) return std::nullopt;
  return bytes;
}

std::string PictureIn(FieldReader& reader, const std::string& name,
                      absl::string_view text) {
  auto picture = DecodePicture(text);
  if (picture.has_value() && !picture->empty()) return *std::move(picture);
  reader.Fail(name, "is not a picture in base64");
  return "";
}

}  // namespace genzo
