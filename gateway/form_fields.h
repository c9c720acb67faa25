#ifndef GENZO_GATEWAY_FORM_FIELDS_H_
#define GENZO_GATEWAY_FORM_FIELDS_H_

#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "nlohmann/json.hpp"

namespace genzo {

// A field of a form and its text, UTF-8, in the order in which they came.
using FormText = std::pair<std::string, std::string>;

// Forms know no objects and lists. Clients, OpenAI's SDKs among them, send them
// in pieces whose names lead to a place in them:
//
//   guidance[start]                 of an object
//   sigmas[], sigmas[]              entries of a list, in their order
//   loras[0][name], loras[1][name]  of the entries with these numbers
//   loras[][name], loras[][name]    of the first entry, of the second
//
// The last way says of which entry a piece is only where each entry has it: if
// one lacks it, nobody can tell which. Returns an object with all of it put
// together; what is no list or object is a text. A name that is written in no
// such way is a field's as it is. INVALID_ARGUMENT/INVALID_FIELD for a field
// that is there twice, that is a text and has pieces, whose pieces cannot be
// told apart or have no place, or that is nested deeper than kMaxBodyDepth.
// Pure.
absl::StatusOr<nlohmann::json> NestFields(const std::vector<FormText>& texts);

}  // namespace genzo

#endif  // GENZO_GATEWAY_FORM_FIELDS_H_
