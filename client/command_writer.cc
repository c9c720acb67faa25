#include "client/command_writer.h"

#include "absl/algorithm/container.h"
#include "absl/strings/ascii.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_replace.h"

namespace genzo {

namespace {

// As bash, zsh and POSIX 2024 read it: what a line of text cannot show.
std::string Escaped(const std::string& text) {
  std::string escaped = "$'";
  for (const char c : text) {
    if (c == '\\' || c == '\'') {
      escaped += {'\\', c};
    } else if (c == '\n') {
      escaped += "\\n";
    } else if (c == '\t') {
      escaped += "\\t";
    } else if (absl::ascii_iscntrl(static_cast<unsigned char>(c))) {
      absl::StrAppendFormat(&escaped, "\\%03o", static_cast<unsigned char>(c));
    } else {
      escaped += c;
    }
  }
  return escaped + "'";
}

}  // namespace

std::string CommandWriter::Quoted(const std::string& text) {
  if (absl::c_any_of(text, absl::ascii_iscntrl)) return Escaped(text);
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
