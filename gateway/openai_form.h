#ifndef GENZO_GATEWAY_OPENAI_FORM_H_
#define GENZO_GATEWAY_OPENAI_FORM_H_

#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "nlohmann/json.hpp"

namespace genzo {

// A form of OpenAI's images API: its pictures, which lie in the request's body,
// and the rest of its fields.
struct OpenAiForm {
  absl::string_view image;
  std::optional<absl::string_view> mask;
  nlohmann::json fields;
};

// Reads the body of a form with exactly one picture and at most one mask.
// INVALID_ARGUMENT, with /INVALID_FIELD where a field is at fault. Pure.
absl::StatusOr<OpenAiForm> ReadOpenAiForm(absl::string_view body,
                                          const std::string& content_type);

}  // namespace genzo

#endif  // GENZO_GATEWAY_OPENAI_FORM_H_
