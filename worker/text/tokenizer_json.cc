#include "worker/text/tokenizer_json.h"

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "worker/weights/json_config.h"
#include "worker/weights/json_text.h"

namespace genzo {
namespace {

using nlohmann::json;

constexpr int64_t kIdEnd = int64_t{1} << 24;

// The member of an object; null if it is none or has none.
const json& At(const json& object, const char* key) {
  static const json* const null = new json();
  if (!object.is_object()) return *null;
  const auto found = object.find(key);
  return found == object.end() ? *null : *found;
}

// The step of that type: `step` itself or one of the sequence that it is.
const json& StepOf(const json& step, const char* list, const char* type) {
  static const json* const null = new json();
  if (At(step, "type") == type) return step;
  for (const json& one : At(step, list)) {
    if (At(one, "type") == type) return one;
  }
  return *null;
}

}  // namespace

absl::StatusOr<TokenizerJson> ReadTokenizerJson(const TextFile& file,
                                                const std::string& type) {
  auto whole = JsonConfig::ReadFile(file);
  if (!whole.ok()) return whole.status();
  const auto invalid = [&](absl::string_view what) {
    return absl::InvalidArgumentError(absl::StrCat(file.path(), ": ", what));
  };
  const json& object = whole->object();
  TokenizerJson read;
  read.model = At(object, "model");
  // Files of old do not say the type.
  const json& named = At(read.model, "type");
  if (!read.model.is_object() || (!named.is_null() && named != type)) {
    return absl::UnimplementedError(absl::StrCat(
        file.path(), ": model.type is ", Shown(named), ", not \"", type, "\""));
  }
  for (const json& token : At(object, "added_tokens")) {
    const json& content = At(token, "content");
    const json& id = At(token, "id");
    if (!content.is_string() || !id.is_number_unsigned() ||
        id.get<uint64_t>() >= kIdEnd) {
      return invalid(absl::StrCat("added_tokens: ", Shown(token),
                                  " has no content or no id below 2^24"));
    }
    read.special.emplace_back(content.get<std::string>(), id.get<int64_t>());
  }
  const json& map =
      At(StepOf(At(object, "normalizer"), "normalizers", "Precompiled"),
         "precompiled_charsmap");
  if (map.is_string() &&
      !absl::Base64Unescape(map.get<std::string>(), &read.character_map)) {
    return invalid("normalizer: precompiled_charsmap is not Base64");
  }
  const json& spaces =
      StepOf(At(object, "pre_tokenizer"), "pretokenizers", "Metaspace");
  read.space_before = At(spaces, "prepend_scheme") != "never" &&
                      At(spaces, "add_prefix_space") != false;
  return read;
}

}  // namespace genzo
