#ifndef GENZO_TESTS_GATEWAY_BODY_READERS_H_
#define GENZO_TESTS_GATEWAY_BODY_READERS_H_

#include "gateway/a1111.h"
#include "gateway/openai_images.h"

namespace genzo {

// What bodies of the doors mean, read without a door, for models of which
// "emaki" is also called "dall-e-3".

inline const ModelNames& Names() {
  static const auto& names = *new ModelNames(
      std::map<std::string, std::string>{{"dall-e-3", "emaki"}});
  return names;
}

inline absl::StatusOr<A1111Call> TextToImage(const nlohmann::json& body) {
  return ReadA1111(A1111Task::kTextToImage, body, Names());
}
inline absl::StatusOr<A1111Call> ImageToImage(nlohmann::json body) {
  if (!body.contains("init_images")) body["init_images"] = {"aGk="};
  return ReadA1111(A1111Task::kImageToImage, body, Names());
}

// The form of an edit: fields and an image.
inline absl::StatusOr<OpenAiCall> Form(
    FormKind kind,
    const std::vector<std::pair<std::string, std::string>>& fields) {
  std::string body;
  for (const auto& [name, value] : fields) {
    body += "--b\r\nContent-Disposition: form-data; name=\"" + name +
            "\"\r\n\r\n" + value + "\r\n";
  }
  return ReadForm(kind, body + "--b--\r\n", "multipart/form-data; boundary=b",
                  Names());
}

}  // namespace genzo

#endif  // GENZO_TESTS_GATEWAY_BODY_READERS_H_
