#include "client/message_json.h"

#include <iostream>
#include <string>

#include "google/protobuf/util/json_util.h"

namespace genzo {

ExitStatus PrintJson(const google::protobuf::Message& message, Zeros zeros) {
  google::protobuf::util::JsonPrintOptions options;
  options.preserve_proto_field_names = true;
  options.always_print_primitive_fields = zeros == Zeros::kPrinted;
  std::string text;
  if (!google::protobuf::util::MessageToJsonString(message, &text, options)
           .ok()) {
    return kExitFailed;
  }
  std::cout << text << std::endl;
  return kExitOk;
}

}  // namespace genzo
