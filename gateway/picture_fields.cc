#include "gateway/picture_fields.h"

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"

namespace genzo {
namespace {

constexpr int kMostDrawn = 64;

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
  const std::string safety =
      reader.Choice("safety", {"default", "off", "mark", "blur", "refuse"});
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

void ReadSourcePrompt(FieldReader& reader, v1::ImageToImage& from) {
  if (const auto shown = reader.Text("source_prompt")) {
    from.mutable_inversion()->set_prompt(*shown);
  }
}

}  // namespace genzo
