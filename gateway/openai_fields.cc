#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "gateway/door_error.h"
#include "gateway/field_names.h"
#include "gateway/openai_form.h"
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

// Width and height; nullopt if the server is to choose.
std::optional<std::pair<int, int>> ReadSize(FieldReader& reader) {
  const auto size = reader.Text("size");
  if (!size.has_value() || *size == "auto") return std::nullopt;
  const std::vector<std::string> sides = absl::StrSplit(*size, 'x');
  int width = 0, height = 0;
  if (sides.size() == 2 && absl::SimpleAtoi(sides[0], &width) &&
      absl::SimpleAtoi(sides[1], &height) && width > 0 && height > 0 &&
      width <= kMaxSide && height <= kMaxSide) {
    return std::pair(width, height);
  }
  reader.Fail("size", absl::StrCat(ShownValue(*size),
                                   " is neither auto nor WIDTHxHEIGHT"));
  return std::nullopt;
}

// How pictures come that nobody says a format for: as links from the models
// that OpenAI had before GPT Image, which old code still names.
const char* DefaultResponse(FieldReader& reader) {
  const json* model = reader.Any("model");
  const bool links =
      model != nullptr && (*model == "dall-e-2" || *model == "dall-e-3");
  return links ? "url" : "b64_json";
}

OpenAiAnswer ReadOutput(FieldReader& reader, const std::string& response,
                        v1::OutputOptions& output) {
  OpenAiAnswer answer;
  answer.format = ReadFileFormat(reader, output);
  const std::string other = response == "url" ? "b64_json" : "url";
  answer.wants_url =
      reader.Choice("response_format", {response, other}) == "url";
  return answer;
}

// What has no meaning here but is sent by clients; values that cannot be served
// are refused, the others change nothing.
void ReadIndifferent(FieldReader& reader, OpenAiCall& call) {
  call.answer.quality = reader.Choice(
      "quality",
      {"auto", "standard", "hd", "low", "medium", "high", "xhigh", "max"});
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

void RefuseStreamedLinks(FieldReader& reader, bool streams,
                         const OpenAiAnswer& answer) {
  if (!streams || !answer.wants_url) return;
  reader.Fail("response_format",
              "\"url\" is not for streams, whose events carry b64_json");
}

void ReadFields(FieldReader& reader, const ModelNames& names,
                OpenAiCall& call) {
  ReadCommonFields(reader, names, call.request);
  if (const auto size = ReadSize(reader)) {
    call.request.set_width(size->first);
    call.request.set_height(size->second);
  }
  call.streams = reader.Truth("stream").value_or(false);
  call.answer =
      ReadOutput(reader, call.streams ? "b64_json" : DefaultResponse(reader),
                 *call.request.mutable_output());
  ReadIndifferent(reader, call);
  if (const auto n = reader.Whole("n", 1, 10)) call.request.set_image_count(*n);
  call.partial_images = reader.Whole("partial_images", 0, 3).value_or(0);
  RefuseStreamedLinks(reader, call.streams, call.answer);
  if (call.partial_images > 0 && !call.streams) {
    reader.Fail("partial_images", absl::StrCat(call.partial_images,
                                               " is not 0, but stream is not "
                                               "true"));
  }
}

}  // namespace

absl::StatusOr<OpenAiCall> ReadGeneration(const json& body,
                                          const ModelNames& names) {
  FieldReader reader(body);
  OpenAiCall call;
  ReadFields(reader, names, call);
  if (reader.Any("prompt") == nullptr) reader.Fail("prompt", "is missing");
  reader.RefuseTheRest(OpenAiNames());
  if (!reader.status().ok()) return reader.status();
  return call;
}

absl::StatusOr<OpenAiCall> ReadForm(FormKind kind, absl::string_view body,
                                    const std::string& content_type,
                                    const ModelNames& names) {
  const auto form = ReadOpenAiForm(body, content_type);
  if (!form.ok()) return form.status();
  OpenAiCall call;
  auto& from = *call.request.mutable_image_to_image();
  from.set_image(std::string(form->image));
  if (form->mask.has_value()) {
    v1::Inpainting& inpainting = *call.request.mutable_inpainting();
    inpainting.mutable_mask()->set_data(std::string(*form->mask));
    // In such masks it is what is transparent that is painted.
    inpainting.set_mask_is_transparency(true);
  }
  FieldReader reader(form->fields, FieldReader::Values::kMayBeText);
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
  reader.RefuseTheRest(OpenAiNames());
  if (!reader.status().ok()) return reader.status();
  return call;
}

bool PaintsHoles(const v1::GenerateRequest& request) {
  return request.inpainting().mask_is_transparency() &&
         !request.inpainting().invert_mask();
}

absl::Status AsOpenAiTells(const absl::Status& status, bool paints_holes) {
  const absl::Status renamed = Renamed(status, OpenAiNames());
  if (!paints_holes || FieldOf(renamed) != "mask" ||
      !absl::EndsWith(renamed.message(), "leaves nothing to paint")) {
    return renamed;
  }
  absl::Status told(
      renamed.code(),
      absl::StrCat(renamed.message(),
                   ": what is transparent in it is painted; with "
                   "mask_is_transparency=false it is what is white"));
  renamed.ForEachPayload([&](absl::string_view type, const absl::Cord& bytes) {
    told.SetPayload(type, bytes);
  });
  return told;
}

absl::StatusOr<OpenAiUpscaling> ReadUpscaling(absl::string_view body,
                                              const std::string& content_type) {
  const auto form = ReadOpenAiForm(body, content_type);
  if (!form.ok()) return form.status();
  OpenAiUpscaling call;
  call.request.mutable_picture()->set_data(std::string(form->image));
  FieldReader reader(form->fields, FieldReader::Values::kMayBeText);
  ReadUpscaler(reader, call.request);
  if (const auto size = ReadSize(reader)) {
    call.request.set_width(size->first);
    call.request.set_height(size->second);
  }
  call.streams = reader.Truth("stream").value_or(false);
  call.answer = ReadOutput(reader, "b64_json", *call.request.mutable_output());
  RefuseStreamedLinks(reader, call.streams, call.answer);
  reader.Text("user");
  if (form->mask.has_value()) {
    reader.Fail("mask", "is given, but the whole picture is enlarged");
  }
  reader.RefuseTheRest(OpenAiUpscaleNames());
  if (!reader.status().ok()) return reader.status();
  return call;
}

}  // namespace genzo
