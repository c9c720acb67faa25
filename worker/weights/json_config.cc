#include "worker/weights/json_config.h"

#include <algorithm>
#include <cstring>

#include "absl/strings/str_cat.h"
#include "worker/weights/json_text.h"

namespace genzo {

using nlohmann::json;

absl::StatusOr<json> JsonConfig::Parse(const std::string& text) {
  std::string plain;
  bool in_string = false;
  for (size_t i = 0; i < text.size(); ++i) {
    if (!in_string) {
      bool replaced = false;
      for (const char* name : {"-Infinity", "Infinity", "NaN"}) {
        if (text.compare(i, std::strlen(name), name) != 0) continue;
        plain += "null";
        i += std::strlen(name) - 1;
        replaced = true;
        break;
      }
      if (replaced) continue;
    }
    if (text[i] == '"') in_string = !in_string;
    plain += text[i];
    if (in_string && text[i] == '\\' && i + 1 < text.size()) {
      plain += text[++i];
    }
  }
  return ParseJson(plain);
}

absl::StatusOr<JsonConfig> JsonConfig::ReadFile(const TextFile& file) {
  const auto text = file.Read(kMaxJsonBytes);
  if (!text.ok()) return text.status();
  auto object = Parse(*text);
  if (!object.ok()) {
    return absl::InvalidArgumentError(
        absl::StrCat(file.path(), ": ", object.status().message()));
  }
  if (!object->is_object()) {
    return absl::InvalidArgumentError(
        absl::StrCat(file.path(), ": is not a JSON object"));
  }
  return JsonConfig(*std::move(object), file.path());
}

const json& JsonConfig::At(const std::string& key) const {
  static const json null;
  const auto found = object_.find(key);
  return found == object_.end() ? null : *found;
}

bool JsonConfig::Has(const std::string& key) const {
  return !At(key).is_null();
}

void JsonConfig::Fail(absl::StatusCode code, const std::string& key,
                      const std::string& message) {
  if (!status_.ok()) return;
  status_ = absl::Status(
      code, absl::StrCat(name_, ": ", key, " ", Shown(At(key)), " ", message));
}

bool JsonConfig::Bool(const std::string& key, bool default_value) {
  const json& value = At(key);
  if (value.is_null()) return default_value;
  if (value.is_boolean()) return value.get<bool>();
  Fail(absl::StatusCode::kInvalidArgument, key, "is not true or false");
  return default_value;
}

int64_t JsonConfig::CheckedInt(const std::string& key, const json& value,
                               int64_t min, int64_t max) {
  if (value.is_number_integer() && value.get<int64_t>() >= min &&
      value.get<int64_t>() <= max) {
    return value.get<int64_t>();
  }
  Fail(absl::StatusCode::kInvalidArgument, key,
       absl::StrCat("is not a whole number from ", min, " to ", max));
  return min;
}

int64_t JsonConfig::Int(const std::string& key, int64_t default_value,
                        int64_t min, int64_t max) {
  const json& value = At(key);
  return value.is_null() ? default_value : CheckedInt(key, value, min, max);
}

double JsonConfig::Number(const std::string& key, double default_value,
                          double min, double max) {
  return OptionalNumber(key, min, max).value_or(default_value);
}

std::optional<double> JsonConfig::OptionalNumber(const std::string& key,
                                                 double min, double max) {
  const json& value = At(key);
  if (value.is_null()) return std::nullopt;
  if (value.is_number() && value.get<double>() >= min &&
      value.get<double>() <= max) {
    return value.get<double>();
  }
  Fail(absl::StatusCode::kInvalidArgument, key,
       absl::StrCat("is not a number from ", min, " to ", max));
  return std::nullopt;
}

std::string JsonConfig::String(const std::string& key,
                               const std::string& default_value) {
  const json& value = At(key);
  if (value.is_null()) return default_value;
  if (value.is_string()) return value.get<std::string>();
  Fail(absl::StatusCode::kInvalidArgument, key, "is not a string");
  return default_value;
}

std::vector<int64_t> JsonConfig::Ints(const std::string& key,
                                      const std::vector<int64_t>& default_value,
                                      int64_t min, int64_t max) {
  const json& value = At(key);
  if (value.is_null()) return default_value;
  if (!value.is_array() || value.empty() || value.size() > 64) {
    Fail(absl::StatusCode::kInvalidArgument, key,
         "is not a list of 1 to 64 numbers");
    return default_value;
  }
  std::vector<int64_t> result;
  for (const json& e : value) {
    result.push_back(CheckedInt(key, e, min, max));
  }
  return result;
}

Sides JsonConfig::BothSides(const std::string& key, Sides default_value) {
  const json& value = At(key);
  if (value.is_null()) return default_value;
  if (value.is_array() && value.size() == 2) {
    return {.height = CheckedInt(key, value[0], 1, kMaxSize),
            .width = CheckedInt(key, value[1], 1, kMaxSize)};
  }
  return Sides::Square(CheckedInt(key, value, 1, kMaxSize));
}

std::vector<float> JsonConfig::Floats(const std::string& key) {
  const json& value = At(key);
  std::vector<float> result;
  if (value.is_null()) return result;
  const bool numbers = value.is_array() &&
                       std::all_of(value.begin(), value.end(),
                                   [](const json& e) { return e.is_number(); });
  if (!numbers) {
    Fail(absl::StatusCode::kInvalidArgument, key, "is not a list of numbers");
    return result;
  }
  return value.get<std::vector<float>>();
}

std::vector<std::string> JsonConfig::Strings(
    const std::string& key, const std::vector<std::string>& defaults) {
  const json& value = At(key);
  if (value.is_null()) return defaults;
  const bool strings = value.is_array() &&
                       std::all_of(value.begin(), value.end(),
                                   [](const json& e) { return e.is_string(); });
  if (!strings) {
    Fail(absl::StatusCode::kInvalidArgument, key, "is not a list of strings");
    return defaults;
  }
  return value.get<std::vector<std::string>>();
}

std::vector<int64_t> JsonConfig::IntPerBlock(const std::string& key,
                                             size_t count,
                                             int64_t default_value,
                                             int64_t max) {
  if (!At(key).is_array()) {
    return std::vector<int64_t>(count, Int(key, default_value, 1, max));
  }
  std::vector<int64_t> result = Ints(key, {}, 1, max);
  if (result.size() != count) {
    Fail(absl::StatusCode::kInvalidArgument, key,
         absl::StrCat("does not have ", count, " entries, one a block"));
    result.resize(count, default_value);
  }
  return result;
}

std::vector<bool> JsonConfig::BoolPerBlock(const std::string& key, size_t count,
                                           bool default_value) {
  const json& value = At(key);
  if (!value.is_array()) {
    return std::vector<bool>(count, Bool(key, default_value));
  }
  std::vector<bool> result;
  for (const json& e : value) {
    result.push_back(e.is_boolean() ? e.get<bool>() : default_value);
  }
  if (result.size() != count) {
    Fail(absl::StatusCode::kInvalidArgument, key,
         absl::StrCat("does not have ", count, " entries, one a block"));
    result.resize(count, default_value);
  }
  return result;
}

void JsonConfig::RequireUnset(const std::string& key) {
  const json& value = At(key);
  if (value.is_null() || value == false) return;
  Fail(absl::StatusCode::kUnimplemented, key, "is not supported");
}

void JsonConfig::RequireString(const std::string& key,
                               const std::string& value) {
  if (String(key, value) == value) return;
  Fail(absl::StatusCode::kUnimplemented, key,
       absl::StrCat("is not supported; supported: \"", value, "\""));
}

}  // namespace genzo
