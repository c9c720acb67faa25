#include "worker/media/enlarged_text.h"

#include <string>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/pictures/picture_metadata.h"
#include "google/protobuf/util/json_util.h"
#include "worker/media/parameter_words.h"
#include "worker/media/provenance.h"

namespace genzo {
namespace {

// Where the web UI tells of what was done to a picture that it did not paint.
constexpr char kPostprocessingKey[] = "postprocessing";

// IPTC's codes for what machines made, wholly or in part.
bool IsOfMachine(const std::string& source_type) {
  return absl::StrContains(absl::AsciiStrToLower(source_type), "algorithmic");
}

Provenance EnlargedProvenance(const PictureText& source, bool by_network) {
  Provenance mark = ReadXmp(TextOf(source, kXmpKey)).value_or(Provenance());
  if (!IsOfMachine(mark.source_type)) {
    mark = {.source_type = by_network ? "algorithmicallyEnhanced" : "",
            .creator_tool = "Genzo",
            .request_json = "",
            .enlarged_json = {}};
  }
  return mark;
}

// The web UI's readers take the last line for the settings if it looks like
// them; what is added to another one would become a part of the prompt.
bool EndsWithSettings(absl::string_view parameters) {
  parameters = absl::StripTrailingAsciiWhitespace(parameters);
  const size_t end_of_line = parameters.rfind('\n');  // npos + 1 is 0
  return absl::StartsWith(parameters.substr(end_of_line + 1), "Steps: ");
}

void AddParameters(const v1::UpscaleRequest& request, const PictureText& source,
                   PictureText& text) {
  const bool has_settings = EndsWithSettings(TextOf(source, kParametersKey));
  const char* place = has_settings ? kParametersKey : kPostprocessingKey;
  for (const char* key : {kParametersKey, kPostprocessingKey, kSoftwareKey}) {
    std::string value = TextOf(source, key);
    if (key == place) {
      absl::StripTrailingAsciiWhitespace(&value);
      absl::StrAppend(&value, value.empty() ? "" : ", ",
                      UpscaleParameters(request));
    }
    if (!value.empty()) text.emplace_back(key, std::move(value));
  }
}

std::string EnlargementJson(const v1::UpscaleRequest& request) {
  v1::UpscaleRequest told;
  told.set_upscaler(request.upscaler());
  if (request.has_factor()) told.set_factor(request.factor());
  if (request.has_width()) told.set_width(request.width());
  if (request.has_height()) told.set_height(request.height());
  *told.mutable_output() = request.output();
  std::string json;
  const auto status = google::protobuf::util::MessageToJsonString(told, &json);
  return status.ok() ? json : "";
}

}  // namespace

PictureText EnlargedText(const v1::UpscaleRequest& request, bool by_network) {
  const v1::OutputOptions& output = request.output();
  const PictureText source =
      ReadPictureText(request.picture().data()).value_or(PictureText());
  PictureText text;
  if (output.embed_parameters()) AddParameters(request, source, text);
  if (output.mark_provenance()) {
    Provenance mark = EnlargedProvenance(source, by_network);
    if (output.embed_parameters()) {
      mark.enlarged_json.push_back(EnlargementJson(request));
    } else {
      mark.request_json.clear();
      mark.enlarged_json.clear();
    }
    if (!mark.source_type.empty()) text.emplace_back(kXmpKey, XmpOf(mark));
  }
  return text;
}

}  // namespace genzo
