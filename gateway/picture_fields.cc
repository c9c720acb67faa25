#include "gateway/picture_fields.h"

#include <algorithm>
#include <string>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"

namespace genzo {

using nlohmann::json;

namespace {

constexpr int kMostDrawn = 64;
const std::vector<std::string>& Policies() {
  static const auto& policies =
      *new std::vector<std::string>{"default", "off", "mark", "blur", "refuse"};
  return policies;
}

const std::vector<std::string>& FileFormats() {
  static const auto& formats =
      *new std::vector<std::string>{"png", "jpeg", "webp"};
  return formats;
}

json Flag(const std::string& description) {
  return {{"type", "boolean"}, {"description", description}};
}

}  // namespace

void ReadPictureFields(FieldReader& reader, v1::GenerateRequest& request) {
  const auto drawn = reader.Whole("best_of", 1, kMostDrawn);
  const auto scorer = reader.Text("scorer");
  if (drawn.has_value()) {
    request.mutable_best_of()->set_draw(static_cast<uint32_t>(*drawn));
    request.mutable_best_of()->set_scorer(scorer.value_or(""));
  } else if (scorer.has_value()) {
    reader.Fail("scorer", "is given without best_of");
  }
  const std::string safety = reader.Choice("safety", Policies());
  v1::SafetyPolicy policy = v1::SAFETY_POLICY_UNSPECIFIED;
  if (v1::SafetyPolicy_Parse(
          absl::StrCat("SAFETY_POLICY_", absl::AsciiStrToUpper(safety)),
          &policy)) {
    request.set_safety_policy(policy);
  }
  if (const auto marks = reader.Truth("watermark")) {
    request.mutable_output()->set_watermark(*marks);
  }
  if (const auto tells = reader.Truth("provenance")) {
    request.mutable_output()->set_mark_provenance(*tells);
  }
  if (const auto embeds = reader.Truth("embed_parameters")) {
    request.mutable_output()->set_embed_parameters(*embeds);
  }
  if (reader.Truth("tiny_decoder").value_or(false)) {
    request.mutable_output()->set_tiny_decoder(true);
  }
  if (reader.Truth("reproducible").value_or(false)) {
    request.set_reproducibility(v1::REPRODUCIBILITY_REPRODUCIBLE);
  }
}

json PictureFieldSchemas() {
  return {
      {"best_of",
       {{"type", "integer"},
        {"minimum", 1},
        {"maximum", kMostDrawn},
        {"description", "Paint so many, and give the best n."}}},
      {"scorer",
       {{"type", "string"},
        {"description", "Which scorer says what is best."}}},
      {"safety",
       {{"type", "string"},
        {"enum", Policies()},
        {"description", "What becomes of unsafe pictures."}}},
      {"watermark", Flag("Mark the picture's pixels, invisibly.")},
      {"provenance", Flag("Say in the file that it was made.")},
      {"embed_parameters", Flag("Say in the file how it was made.")},
      {"tiny_decoder", Flag("Decode with the small autoencoder.")},
      {"reproducible", Flag("The same bytes again, whatever runs beside.")}};
}

std::string ReadFileFormat(FieldReader& reader, v1::OutputOptions& output) {
  const std::string format = reader.Choice("output_format", FileFormats());
  output.set_format(format == "jpeg"   ? v1::IMAGE_FORMAT_JPEG
                    : format == "webp" ? v1::IMAGE_FORMAT_WEBP
                                       : v1::IMAGE_FORMAT_PNG);
  if (const auto quality = reader.Whole("output_compression", 0, 100)) {
    output.set_quality(std::max<int64_t>(1, *quality));
  }
  return format;
}

json FileFormatSchemas() {
  return {{"output_format",
           {{"type", "string"},
            {"enum", FileFormats()},
            {"description", "What file a picture becomes."}}},
          {"output_compression",
           {{"type", "integer"},
            {"minimum", 0},
            {"maximum", 100},
            {"description", "Quality of JPEG and WebP; 100 is the best."}}}};
}

absl::Status AllWithheldError() {
  return ErrorWithReason(absl::StatusCode::kInvalidArgument,
                         "CONTENT_POLICY_VIOLATION",
                         "every picture was withheld by the server's policy");
}

absl::Status WithheldError(uint32_t image_index) {
  return ErrorWithReason(absl::StatusCode::kInvalidArgument,
                         "CONTENT_POLICY_VIOLATION",
                         absl::StrCat("image ", image_index,
                                      " was withheld by the server's policy"));
}

}  // namespace genzo
