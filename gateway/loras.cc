#include "gateway/loras.h"

#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "gateway/door_error.h"
#include "gateway/model_fields.h"
#include "gateway/proto_json.h"

namespace genzo {
namespace {

using nlohmann::json;

constexpr char kBegin[] = "<lora:";

// Of the inside of a tag, "NAME:0.8:unet=1".
std::string ReadTag(absl::string_view tag, v1::LoraUse& lora) {
  const std::vector<absl::string_view> parts = absl::StrSplit(tag, ':');
  lora.set_name(std::string(parts[0]));
  int place = 0;
  double number = 0;
  for (size_t i = 1; i < parts.size(); ++i) {
    absl::string_view part = parts[i];
    const bool text = absl::ConsumePrefix(&part, "te=");
    const bool denoiser = !text && absl::ConsumePrefix(&part, "unet=");
    if (!text && !denoiser) ++place;
    if (!absl::SimpleAtod(part, &number) || place > 2) {
      return absl::StrCat("has <lora:", tag,
                          ">, which is not <lora:NAME:WEIGHT> with numbers");
    }
    if (text || place == 1) lora.set_text_encoder_weight(number);
    if (denoiser || (!text && place == 2)) lora.set_weight(number);
  }
  if (!lora.has_text_encoder_weight()) lora.set_text_encoder_weight(1);
  if (!lora.has_weight()) lora.set_weight(lora.text_encoder_weight());
  return "";
}

}  // namespace

std::string TakeLoraTags(std::string& prompt, v1::GenerateRequest& request) {
  std::string kept;
  size_t at = 0;
  size_t tags = 0;
  for (size_t begin = 0; (begin = prompt.find(kBegin, at)) != prompt.npos;) {
    const size_t end = prompt.find('>', begin);
    if (end == prompt.npos) return "has <lora: without >";
    if (++tags > kMaxListEntries) {
      return absl::StrCat("has more than ", kMaxListEntries, " <lora:...>");
    }
    const size_t inside = begin + sizeof(kBegin) - 1;
    const std::string tag = prompt.substr(inside, end - inside);
    const std::string wrong = ReadTag(tag, *request.add_loras());
    if (!wrong.empty()) return wrong;
    kept.append(prompt, at, begin - at);
    at = end + 1;
  }
  kept.append(prompt, at);
  prompt = std::move(kept);
  return "";
}

void ReadLoras(FieldReader& reader, v1::GenerateRequest& request) {
  const json* given = reader.Any("loras");
  if (given == nullptr) return;
  json list = *given;
  if (given->is_string()) {
    const std::string& text = given->get_ref<const std::string&>();
    if (absl::StartsWith(absl::StripLeadingAsciiWhitespace(text), "[")) {
      const auto read = Structured(reader, "loras");
      if (!read.has_value()) return;
      list = *read;
    } else {
      const std::vector<std::string> names =
          absl::StrSplit(text, ',', absl::SkipEmpty());
      list = names;
    }
  }
  if (!list.is_array()) return reader.Fail("loras", "is not a list");
  if (!reader.HasRoomFor("loras", list)) return;
  for (size_t i = 0; i < list.size(); ++i) {
    const json& entry = list[i];
    const std::string place = EntryOf("loras", i);
    v1::LoraUse& lora = *request.add_loras();
    if (entry.is_string()) {
      const std::string wrong = ReadTag(entry.get<std::string>(), lora);
      if (!wrong.empty()) reader.Fail(place, wrong);
    } else if (!entry.is_object()) {
      reader.Fail(place, absl::StrCat(ShownValue(entry),
                                      " is neither \"NAME:WEIGHT\" nor an "
                                      "object as LoraUse"));
    } else if (const absl::Status read = FromJson(Dump(entry), lora);
               !read.ok()) {
      reader.FailInside(place, read);
    }
  }
}

json LorasSchema() {
  const json number = {{"type", "number"}};
  const json use = {
      {"type", "object"},
      {"properties",
       {{"name", {{"type", "string"}}},
        {"weight", number},
        {"text_encoder_weight", number},
        {"start", number},
        {"end", number},
        {"block_weights",
         {{"type", "array"},
          {"items",
           {{"type", "object"},
            {"properties",
             {{"block", {{"type", "string"}}}, {"weight", number}}},
            {"required", {"block", "weight"}}}}}}}},
      {"required", {"name"}}};
  return {{"type", "array"},
          {"maxItems", kMaxListEntries},
          {"items", {{"anyOf", {{{"type", "string"}}, use}}}},
          {"description",
           "Adapters of the server: \"NAME:WEIGHT\", or an object with the "
           "fields of LoraUse."}};
}

}  // namespace genzo
