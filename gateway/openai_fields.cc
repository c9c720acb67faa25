#include <algorithm>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "base/utf8.h"
#include "gateway/door_error.h"
#include "gateway/form_fields.h"
#include "gateway/multipart.h"
#include "gateway/openai_images.h"
#include "gateway/painting.h"
#include "gateway/picture_fields.h"
#include "gateway/start_fields.h"

namespace genzo {

using nlohmann::json;

namespace {

constexpr int kMaxSide = 1 << 16;  // the model's own limit is the service's
// How much of a picture a variation paints anew: kin, not copy.
constexpr double kVariationStrength = 0.6;
// What a mask covers is often a hole in the picture, too.
constexpr double kMaskedStrength = 1;

void ReadSize(FieldReader& reader, v1::GenerateRequest& request) {
  const auto size = reader.Text("size");
  if (!size.has_value() || *size == "auto") return;
  const std::vector<std::string> sides = absl::StrSplit(*size, 'x');
  int width = 0, height = 0;
  if (sides.size() == 2 && absl::SimpleAtoi(sides[0], &width) &&
      absl::SimpleAtoi(sides[1], &height) && width > 0 && height > 0 &&
      width <= kMaxSide && height <= kMaxSide) {
    request.set_width(width);
    request.set_height(height);
    return;
  }
  reader.Fail("size", absl::StrCat(ShownValue(*size),
                                   " is neither auto nor WIDTHxHEIGHT"));
}

void ReadOutput(FieldReader& reader, OpenAiCall& call) {
  call.format = reader.Choice("output_format", {"png", "jpeg", "webp"});
  auto& output = *call.request.mutable_output();
  output.set_format(call.format == "jpeg"   ? v1::IMAGE_FORMAT_JPEG
                    : call.format == "webp" ? v1::IMAGE_FORMAT_WEBP
                                            : v1::IMAGE_FORMAT_PNG);
  if (const auto quality = reader.Whole("output_compression", 0, 100)) {
    output.set_quality(std::max<int64_t>(1, *quality));
  }
  call.wants_url =
      reader.Choice("response_format", {"b64_json", "url"}) == "url";
}

// What has no meaning here but is sent by clients; values that cannot be served
// are refused, the others change nothing.
void ReadIndifferent(FieldReader& reader, OpenAiCall& call) {
  call.quality = reader.Choice("quality", {"auto", "standard", "hd", "low",
                                           "medium", "high", "xhigh", "max"});
  reader.Choice("style", {"vivid", "natural"});
  reader.Choice("moderation", {"auto", "low"});
  reader.Choice("input_fidelity", {"low", "high"});
  reader.Text("user");
  if (reader.Choice("background", {"auto", "opaque", "transparent"}) ==
      "transparent") {
    reader.Fail("background",
                "\"transparent\" is given, but this server has no transparent "
                "pictures yet");
  }
}

void ReadFields(FieldReader& reader, const ModelNames& names,
                OpenAiCall& call) {
  ReadCommonFields(reader, names, call.request);
  ReadSize(reader, call.request);
  ReadOutput(reader, call);
  ReadIndifferent(reader, call);
  if (const auto n = reader.Whole("n", 1, 10)) call.request.set_image_count(*n);
  call.streams = reader.Truth("stream").value_or(false);
  call.partial_images = reader.Whole("partial_images", 0, 3).value_or(0);
  if (call.streams && call.wants_url) {
    reader.Fail("response_format",
                "\"url\" is not for streams, whose events carry b64_json");
  }
  if (call.partial_images > 0 && !call.streams) {
    reader.Fail("partial_images", absl::StrCat(call.partial_images,
                                               " is not 0, but stream is not "
                                               "true"));
  }
}

// Puts a form's only picture and its mask into `request` and returns the rest
// of its fields. In such masks it is what is transparent that is painted.
absl::StatusOr<json> Sort(const std::vector<FormPart>& parts,
                          v1::GenerateRequest& request) {
  std::vector<FormText> texts;
  std::string& image = *request.mutable_image_to_image()->mutable_image();
  bool has_image = false;
  for (const FormPart& part : parts) {
    const bool is_mask = part.name == "mask";
    if (is_mask && !request.has_inpainting()) {
      v1::Inpainting& inpainting = *request.mutable_inpainting();
      inpainting.mutable_mask()->set_data(std::string(part.content));
      inpainting.set_mask_is_transparency(true);
      continue;
    }
    if (part.name == "image" || part.name == "image[]") {
      if (std::exchange(has_image, true)) {
        return NotYet("image", "edits of several pictures at once");
      }
      image = std::string(part.content);
      continue;
    }
    if (is_mask) {
      return InvalidFieldsError({{"mask", "mask occurs twice"}});
    }
    // Whoever writes it as JSON again, in a message for one, may not fail.
    if (!IsUtf8(part.content)) {
      return InvalidFieldsError(
          {{part.name, absl::StrCat(part.name, " is not UTF-8")}});
    }
    texts.emplace_back(part.name, part.content);
  }
  if (has_image && !image.empty()) return NestFields(texts);
  return InvalidFieldsError({{"image", "image is missing"}});
}

}  // namespace

absl::StatusOr<OpenAiCall> ReadGeneration(const json& body,
                                          const ModelNames& names) {
  FieldReader reader(body);
  OpenAiCall call;
  ReadFields(reader, names, call);
  if (reader.Any("prompt") == nullptr) reader.Fail("prompt", "is missing");
  reader.RefuseTheRest();
  if (!reader.status().ok()) return reader.status();
  return call;
}

absl::StatusOr<OpenAiCall> ReadForm(FormKind kind, absl::string_view body,
                                    const std::string& content_type,
                                    const ModelNames& names) {
  const std::string boundary = BoundaryOf(content_type);
  if (boundary.empty()) {
    return absl::InvalidArgumentError(
        "the content-type has no sound boundary for its parts");
  }
  const auto parts = ParseForm(body, boundary);
  if (!parts.ok()) return parts.status();
  OpenAiCall call;
  auto& from = *call.request.mutable_image_to_image();
  const auto fields = Sort(*parts, call.request);
  if (!fields.ok()) return fields.status();
  FieldReader reader(*fields, FieldReader::Values::kMayBeText);
  ReadFields(reader, names, call);
  ReadStartFields(reader, from);
  if (!from.has_strength() && kind == FormKind::kVariation) {
    from.set_strength(kVariationStrength);
  } else if (!from.has_strength() && call.request.has_inpainting()) {
    from.set_strength(kMaskedStrength);
  }
  if (kind == FormKind::kVariation && call.request.has_inpainting()) {
    reader.Fail("mask", "is given, but a variation is of the whole picture");
  }
  if (kind == FormKind::kEdit) {
    ReadMaskFields(reader, call.request);
    call.event_prefix = "image_edit";
    if (reader.Any("prompt") == nullptr) reader.Fail("prompt", "is missing");
  }
  reader.RefuseTheRest();
  if (!reader.status().ok()) return reader.status();
  return call;
}

}  // namespace genzo
