#include "base/request_pictures.h"

#include <vector>

#include "google/protobuf/util/field_mask_util.h"

namespace genzo {
namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::FieldMask;
using google::protobuf::Message;

// Whether the field is the bytes of a picture file.
bool IsFile(const FieldDescriptor& field) {
  static const FieldDescriptor* const files[] = {
      v1::ImageToImage::descriptor()->FindFieldByName("image"),
      v1::InputPicture::descriptor()->FindFieldByName("data")};
  return &field == files[0] || &field == files[1];
}

// Copies what is set of `from` but files, also fields that will be added.
void CopyBut(const Message& from, Message& to) {
  const auto& reader = *from.GetReflection();
  const auto& writer = *to.GetReflection();
  std::vector<const FieldDescriptor*> fields;
  reader.ListFields(from, &fields);
  FieldMask plain;
  for (const FieldDescriptor* field : fields) {
    if (IsFile(*field)) continue;
    if (field->message_type() == nullptr) {
      plain.add_paths(field->name());
    } else if (!field->is_repeated()) {
      CopyBut(reader.GetMessage(from, field),
              *writer.MutableMessage(&to, field));
    } else {
      for (int i = 0; i < reader.FieldSize(from, field); ++i) {
        CopyBut(reader.GetRepeatedMessage(from, field, i),
                *writer.AddMessage(&to, field));
      }
    }
  }
  google::protobuf::util::FieldMaskUtil::MergeMessageTo(from, plain, {}, &to);
}

}  // namespace

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

v1::GenerateRequest WithoutPictures(const v1::GenerateRequest& request) {
  v1::GenerateRequest slim;
  CopyBut(request, slim);
  return slim;
}

}  // namespace genzo
