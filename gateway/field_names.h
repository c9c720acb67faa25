#ifndef GENZO_GATEWAY_FIELD_NAMES_H_
#define GENZO_GATEWAY_FIELD_NAMES_H_

#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

// What the fields of requests are called at each door, so that what the service
// says of one reads as the client wrote it. All functions are pure.

namespace genzo {

// A field of the proto and a door's name for it. "[]" in `proto` stands for any
// index, which goes into `own` where that has "[]". By "..." at its end `proto`
// is all that is inside the field, too; where `own` ends so, what is inside has
// the proto's names there.
//
//   {"steps", "num_inference_steps"}                          steps
//   {"hires...", "hires..."}                                  hires.factor
//   {"controls[].picture...", "controls[].image"}             of both doors one
//   {"PREPROCESSOR_CANNY", "canny"}                           a value, in
//   sentences
struct FieldName {
  std::string proto;
  std::string own;
  std::string shown = "";  // in sentences, if not as `own`
};
using FieldNames = std::vector<FieldName>;

// At the end of a row's field.
inline constexpr char kInside[] = "...";

// The tables of the doors: every field that a client can set has a row.
const FieldNames& OpenAiNames();
// Of its path that enlarges, for UpscaleRequest.
const FieldNames& OpenAiUpscaleNames();
const FieldNames& McpNames();
const FieldNames& A1111Names();
// The door of jobs has the proto's own names, but the service is told of a
// picture and the client of a job: "width" is "request.width" there.
const FieldNames& JobNames();
// Of A1111's extras, for UpscaleRequest.
const FieldNames& A1111ExtrasNames();

// The rows of one request, and behind them those of its door.
FieldNames Followed(FieldNames first, const FieldNames& later);

// The name of `field`, "controls[0].weight", by the row that says most of it,
// of such rows the first; nullopt if there is none.
std::optional<std::string> OwnName(const FieldNames& names,
                                   absl::string_view field);

// `status` with its fields as the door calls them: in its violations or its
// ErrorInfo, and wherever its sentences name one so that it cannot be another
// word ("image_count", "hires.width").
absl::Status Renamed(const absl::Status& status, const FieldNames& names);

}  // namespace genzo

#endif  // GENZO_GATEWAY_FIELD_NAMES_H_
