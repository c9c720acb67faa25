#ifndef GENZO_GATEWAY_MULTIPART_H_
#define GENZO_GATEWAY_MULTIPART_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace genzo {

// One field of a form.
struct FormPart {
  std::string name;
  std::string file_name;  // empty: not a file
  std::string content_type;
  absl::string_view content;  // of the body that was parsed
};

// A form has no more fields than this.
constexpr size_t kMaxFormParts = 64;

// The boundary in a Content-Type; empty if it is not multipart/form-data with a
// boundary of 1 to 70 characters (RFC 2046). Pure.
std::string BoundaryOf(absl::string_view content_type);

// Reads multipart/form-data (RFC 7578) strictly: lines end with CRLF, nothing
// is before the first boundary or after the last, each part has at most 8
// headers of 4 KiB together and a Content-Disposition with a name, and no
// transfer coding. INVALID_ARGUMENT that says what is wrong otherwise. The
// parts point into `body`. Time is linear in its size. Pure.
absl::StatusOr<std::vector<FormPart>> ParseForm(absl::string_view body,
                                                absl::string_view boundary);

}  // namespace genzo

#endif  // GENZO_GATEWAY_MULTIPART_H_
