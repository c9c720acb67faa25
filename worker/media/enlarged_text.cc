#include "worker/media/enlarged_text.h"

#include <string>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "base/pictures/picture_metadata.h"
#include "worker/media/provenance.h"

namespace genzo {
namespace {

// IPTC's codes for what machines made, wholly or in part.
bool IsOfMachine(const std::string& source_type) {
  return absl::StrContains(absl::AsciiStrToLower(source_type), "algorithmic");
}

Provenance EnlargedProvenance(const PictureText& source, bool by_network) {
  Provenance mark = ReadXmp(TextOf(source, kXmpKey)).value_or(Provenance());
  if (!IsOfMachine(mark.source_type)) {
    mark = {.source_type = by_network ? "algorithmicallyEnhanced" : "",
            .creator_tool = "Genzo",
            .request_json = ""};
  }
  return mark;
}

}  // namespace

PictureText EnlargedText(const v1::UpscaleRequest& request, bool by_network) {
  const v1::OutputOptions& output = request.output();
  const PictureText source =
      ReadPictureText(request.picture().data()).value_or(PictureText());
  PictureText text;
  if (output.embed_parameters()) {
    for (const char* key : {kParametersKey, kSoftwareKey}) {
      std::string value = TextOf(source, key);
      if (!value.empty()) text.emplace_back(key, std::move(value));
    }
  }
  if (output.mark_provenance()) {
    Provenance mark = EnlargedProvenance(source, by_network);
    if (!output.embed_parameters()) mark.request_json.clear();
    if (!mark.source_type.empty()) text.emplace_back(kXmpKey, XmpOf(mark));
  }
  return text;
}

}  // namespace genzo
