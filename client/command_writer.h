#ifndef GENZO_CLIENT_COMMAND_WRITER_H_
#define GENZO_CLIENT_COMMAND_WRITER_H_

#include <cstdint>
#include <initializer_list>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/shortest_digits.h"
#include "google/protobuf/message.h"

namespace genzo {

// Writes a command of `genzo`, option by option, for a shell to read.
class CommandWriter {
 public:
  explicit CommandWriter(const char* command) : words_({"genzo", command}) {}

  void Text(const char* option, const std::string& value) {
    if (!value.empty()) Add(option, value);
  }
  template <typename T>
  void Number(const char* option, bool is_set, T value) {
    if (is_set) Add(option, Digits(value));
  }
  template <typename T>
  void Numbers(const char* option, const T& values) {
    if (values.empty()) return;
    std::vector<std::string> digits;
    for (const auto value : values) digits.push_back(Digits(value));
    Add(option, absl::StrJoin(digits, ","));
  }
  void Flag(const char* option, bool is_set) {
    if (is_set) words_.emplace_back(option);
  }
  void Add(const char* option, const std::string& value) {
    words_.emplace_back(option);
    words_.push_back(Quoted(value));
  }
  void Add(const std::string& word) { words_.push_back(Quoted(word)); }

  std::string command() const { return absl::StrJoin(words_, " "); }

 private:
  static std::string Quoted(const std::string& text);
  static std::string Digits(double value) { return ShortestDigits(value); }
  static std::string Digits(uint64_t value) { return absl::StrCat(value); }
  static std::string Digits(uint32_t value) { return absl::StrCat(value); }

  std::vector<std::string> words_;
};

// Clears fields that a command says, by name.
void ClearFields(std::initializer_list<const char*> names,
                 google::protobuf::Message& message);

}  // namespace genzo

#endif  // GENZO_CLIENT_COMMAND_WRITER_H_
