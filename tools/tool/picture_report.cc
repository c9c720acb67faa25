#include "tools/tool/picture_report.h"

#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "base/pictures/picture_metadata.h"
#include "base/pictures/picture_probe.h"
#include "base/upscale_plan.h"
#include "base/utf8.h"
#include "client/command_line.h"
#include "google/protobuf/util/json_util.h"
#include "worker/media/picture_decoder.h"
#include "worker/media/provenance.h"
#include "worker/media/watermark.h"

namespace genzo {
namespace {

// A file of one's own: larger than what a server takes.
constexpr PictureLimits kLimits = {.max_bytes = int64_t{1} << 30,
                                   .max_pixels = int64_t{1} << 28};

void AddText(const std::string& key, const std::string& value,
             std::string& report) {
  absl::StrAppend(&report, Printable(key), "\n");
  for (absl::string_view line : absl::StrSplit(value, '\n')) {
    absl::StrAppend(&report, "  ", Printable(line), "\n");
  }
}

// Whether the file is larger, or smaller, than what `request` makes: Upscale
// keeps what its source says. What output.upscaler's scale is only the server
// knows; a whole number.
bool IsResized(const v1::GenerateRequest& request,
               const PictureHeader& header) {
  const PixelSize painted = PaintedSize(request);
  const bool is_known = painted.width > 0 && painted.height > 0 &&
                        !request.has_inpainting() && !request.has_outpainting();
  if (!is_known) return false;
  const int64_t width = header.shown_width();
  const int64_t height = header.shown_height();
  if (request.output().upscaler().empty()) {
    return width != painted.width || height != painted.height;
  }
  return width % painted.width != 0 ||
         width / painted.width * painted.height != height;
}

bool ReadJson(const std::string& json, google::protobuf::Message& message) {
  // Of a newer Genzo, it may have fields that this one does not know.
  google::protobuf::util::JsonParseOptions options;
  options.ignore_unknown_fields = true;
  return google::protobuf::util::JsonStringToMessage(json, &message, options)
      .ok();
}

void AddCommand(const char* what, const CommandLine& line,
                std::string& report) {
  AddText(what, line.command, report);
  if (line.missing.empty()) return;
  AddText("and by these fields, which the command has no options for",
          absl::StrJoin(line.missing, ", "), report);
}

void AddCommands(const Provenance& provenance, const PictureHeader& header,
                 std::string& report) {
  v1::GenerateRequest request;
  const bool is_told = !provenance.request_json.empty() &&
                       ReadJson(provenance.request_json, request);
  const bool is_resized = is_told && IsResized(request, header);
  if (is_told) {
    AddCommand("painted again by", CommandLineOf(std::move(request)), report);
  }
  bool is_first = !is_told;
  for (const std::string& json : provenance.enlarged_json) {
    v1::UpscaleRequest enlarging;
    if (!ReadJson(json, enlarging)) continue;
    AddCommand(is_first ? "enlarged by, FILE being what it was before"
                        : "and then, FILE being what that made, by",
               CommandLineOf(std::move(enlarging)), report);
    is_first = false;
  }
  if (!is_resized || !provenance.enlarged_json.empty()) return;
  AddText(
      "and then brought to its size, FILE being what that painted and NAME an "
      "upscaler that is not told, by",
      absl::StrCat("genzo upscale FILE --upscaler NAME --size ",
                   header.shown_width(), ",", header.shown_height(),
                   " --format ", absl::AsciiStrToLower(header.format)),
      report);
}

}  // namespace

absl::StatusOr<std::string> ReportPicture(const std::string& file) {
  const auto header = ProbePicture(file);
  if (!header.ok()) return header.status();
  const auto text = ReadPictureText(file);
  if (!text.ok()) return text.status();
  const auto pixels = DecodePicture(file, kLimits);
  if (!pixels.ok()) return pixels.status();
  std::string report = absl::StrFormat("%s, %d x %d pixels\n", header->format,
                                       header->width, header->height);
  std::optional<Provenance> provenance;
  for (const auto& [key, value] : *text) {
    if (key == kXmpKey) {
      provenance = ReadXmp(value);
    } else {
      AddText(key, value, report);
    }
  }
  if (provenance.has_value()) {
    AddText("made by (XMP)",
            provenance->creator_tool.empty() ? "not told"
                                             : provenance->creator_tool,
            report);
    AddText(
        "kind of source (IPTC)",
        provenance->source_type.empty() ? "not told" : provenance->source_type,
        report);
  }
  const double found = FindWatermark(*pixels);
  AddText("watermark",
          absl::StrFormat("%s (%.1f standard deviations)",
                          found >= kWatermarkFound ? "Genzo's" : "none found",
                          found),
          report);
  if (provenance.has_value()) AddCommands(*provenance, *header, report);
  return report;
}

}  // namespace genzo
