#include "gateway/openai_form.h"

#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/errors.h"
#include "base/utf8.h"
#include "gateway/door_error.h"
#include "gateway/form_fields.h"
#include "gateway/multipart.h"

namespace genzo {

absl::StatusOr<OpenAiForm> ReadOpenAiForm(absl::string_view body,
                                          const std::string& content_type) {
  const std::string boundary = BoundaryOf(content_type);
  if (boundary.empty()) {
    return absl::InvalidArgumentError(
        "the content-type has no sound boundary for its parts");
  }
  const auto parts = ParseForm(body, boundary);
  if (!parts.ok()) return parts.status();
  OpenAiForm form;
  std::vector<FormText> texts;
  bool has_image = false;
  for (const FormPart& part : *parts) {
    if (part.name == "image" || part.name == "image[]") {
      if (std::exchange(has_image, true)) {
        return NotYet("image", "edits of several pictures at once");
      }
      form.image = part.content;
    } else if (part.name == "mask") {
      if (form.mask.has_value()) {
        return InvalidFieldsError({{"mask", "mask occurs twice"}});
      }
      form.mask = part.content;
    } else if (!IsUtf8(part.content)) {
      // Whoever writes it as JSON again, in a message for one, may not fail.
      return InvalidFieldsError(
          {{part.name, absl::StrCat(part.name, " is not UTF-8")}});
    } else {
      texts.emplace_back(part.name, part.content);
    }
  }
  if (form.image.empty()) {
    return InvalidFieldsError({{"image", "image is missing"}});
  }
  auto fields = NestFields(texts);
  if (!fields.ok()) return fields.status();
  form.fields = *std::move(fields);
  return form;
}

}  // namespace genzo
