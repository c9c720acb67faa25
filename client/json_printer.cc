#include "client/json_printer.h"

#include <iostream>

#include "google/protobuf/util/json_util.h"
#include "nlohmann/json.hpp"

namespace genzo {

void JsonPrinter::Show(const v1::JobEvent& event, const std::string& path) {
  v1::JobEvent slim = event;
  if (slim.has_preview())
    slim.mutable_preview()->mutable_picture()->clear_data();
  if (slim.has_image()) slim.mutable_image()->mutable_picture()->clear_data();
  google::protobuf::util::JsonPrintOptions options;
  options.preserve_proto_field_names = true;
  // Zeros are meant: image 0, position 0.
  options.always_print_primitive_fields = true;
  std::string text;
  if (!google::protobuf::util::MessageToJsonString(slim, &text, options).ok()) {
    return;
  }
  auto json = nlohmann::json::parse(text);
  for (const char* key : {"preview", "image"}) {
    if (!json.contains(key)) continue;
    json[key]["picture"].erase("data");
    json[key]["picture"]["path"] = path;
  }
  std::cout << json.dump(-1, ' ', /*ensure_ascii=*/false,
                         nlohmann::json::error_handler_t::replace)
            << std::endl;
}

}  // namespace genzo
