#include "worker/weights/json_text.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "base/json_shape.h"

namespace genzo {

using nlohmann::json;

namespace {

absl::Status StatusOf(const JsonFault& fault) {
  switch (fault.kind) {
    case JsonFault::Kind::kTooDeep:
      return absl::InvalidArgumentError(
          absl::StrCat("is nested deeper than ", kMaxJsonDepth, " levels"));
    case JsonFault::Kind::kRepeatedKey:
      return absl::InvalidArgumentError(
          absl::StrCat(Shown(json(fault.key)), " occurs twice"));
    default:
      return absl::InvalidArgumentError("is not JSON");
  }
}

}  // namespace

absl::StatusOr<json> ParseJson(std::string_view text, TopKeys top_keys) {
  if (text.size() > kMaxJsonBytes) {
    return absl::InvalidArgumentError(absl::StrCat(
        "has ", text.size(), " bytes of JSON, the limit is ", kMaxJsonBytes));
  }
  const auto fault =
      FindJsonFault(text, kMaxJsonDepth,
                    /*unique_top_keys=*/top_keys == TopKeys::kAreUnique);
  if (fault.has_value()) return StatusOf(*fault);
  return json::parse(text, /*cb=*/nullptr, /*allow_exceptions=*/false);
}

std::string Shown(const json& value) {
  if (value.is_object()) return "{...}";
  if (value.is_array() &&
      std::any_of(value.begin(), value.end(),
                  [](const json& e) { return e.is_structured(); })) {
    return "[...]";
  }
  return Shortened(value.dump(-1, ' ', false, json::error_handler_t::replace));
}

std::string Shortened(std::string_view text) {
  constexpr size_t kMaxBytes = 100;
  if (text.size() <= kMaxBytes) return std::string(text);
  size_t end = kMaxBytes;
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xC0) == 0x80) {
    --end;  // not inside a character
  }
  return std::string(text.substr(0, end)) + "...";
}

}  // namespace genzo
