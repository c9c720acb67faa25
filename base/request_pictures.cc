#include "base/request_pictures.h"

namespace genzo {

void ClearPictures(v1::GenerateRequest& request) {
  if (request.has_image_to_image()) {
    request.mutable_image_to_image()->clear_image();
  }
  if (request.inpainting().has_mask()) {
    request.mutable_inpainting()->mutable_mask()->clear_data();
  }
  for (v1::ControlInput& control : *request.mutable_controls()) {
    if (control.has_picture()) control.mutable_picture()->clear_data();
  }
  for (v1::ImagePrompt& prompt : *request.mutable_image_prompts()) {
    for (v1::InputPicture& picture : *prompt.mutable_pictures()) {
      picture.clear_data();
    }
  }
}

}  // namespace genzo
