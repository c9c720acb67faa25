#ifndef GENZO_TOOLS_TOOL_PICTURE_REPORT_H_
#define GENZO_TOOLS_TOOL_PICTURE_REPORT_H_

#include <string>

#include "absl/status/statusor.h"

namespace genzo {

// What a PNG, JPEG or WebP file says of its picture, for a person: size, texts,
// provenance, whether there is a watermark, and, where Genzo told the request,
// the commands that make it again. INVALID_ARGUMENT for what is no picture.
// Safe on any bytes.
absl::StatusOr<std::string> ReportPicture(const std::string& file);

}  // namespace genzo

#endif  // GENZO_TOOLS_TOOL_PICTURE_REPORT_H_
