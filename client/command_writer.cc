#include "client/command_writer.h"

#include "absl/strings/str_replace.h"

namespace genzo {

std::string CommandWriter::Quoted(const std::string& text) {
  constexpr char kPlain[] =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.,/:";
  if (!text.empty() && text.find_first_not_of(kPlain) == std::string::npos) {
    return text;
  }
  return absl::StrCat("'", absl::StrReplaceAll(text, {{"'", "'\\''"}}), "'");
}

void ClearFields(std::initializer_list<const char*> names,
                 google::protobuf::Message& message) {
  for (const char* name : names) {
    message.GetReflection()->ClearField(
        &message, message.GetDescriptor()->FindFieldByName(name));
  }
}

}  // namespace genzo
