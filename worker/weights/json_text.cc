#include "worker/weights/json_text.h"

#include <algorithm>
#include <set>

#include "absl/strings/str_cat.h"

namespace genzo {

using nlohmann::json;

namespace {

// Looks through JSON without building anything. (The library's parser with a
// callback could tell the same, in time that grows with the square of an
// object's keys.)
class Checker : public nlohmann::json_sax<json> {
 public:
  explicit Checker(TopKeys top_keys) : top_keys_(top_keys) {}

  bool null() override { return true; }
  bool boolean(bool) override { return true; }
  bool number_integer(number_integer_t) override { return true; }
  bool number_unsigned(number_unsigned_t) override { return true; }
  bool number_float(number_float_t, const string_t&) override { return true; }
  bool string(string_t&) override { return true; }
  bool binary(binary_t&) override { return true; }
  bool start_object(size_t) override { return Begin(); }
  bool start_array(size_t) override { return Begin(); }
  bool end_object() override { return End(); }
  bool end_array() override { return End(); }
  bool key(string_t& key) override {
    if (top_keys_ == TopKeys::kMayRepeat || depth_ > 1) return true;
    if (keys_.insert(key).second) return true;
    return Refuse(absl::StrCat(Shown(json(key)), " occurs twice"));
  }
  bool parse_error(size_t, const std::string&,
                   const nlohmann::detail::exception&) override {
    return Refuse("is not JSON");
  }

  // OK unless a member returned false, which ends the parsing.
  const absl::Status& status() const { return status_; }

 private:
  bool Refuse(const std::string& message) {
    status_ = absl::InvalidArgumentError(message);
    return false;
  }
  bool Begin() {
    if (++depth_ <= kMaxJsonDepth) return true;
    return Refuse(
        absl::StrCat("is nested deeper than ", kMaxJsonDepth, " levels"));
  }
  bool End() {
    --depth_;
    return true;
  }

  const TopKeys top_keys_;
  int depth_ = 0;
  std::set<std::string> keys_;
  absl::Status status_;
};

}  // namespace

absl::StatusOr<json> ParseJson(std::string_view text, TopKeys top_keys) {
  if (text.size() > kMaxJsonBytes) {
    return absl::InvalidArgumentError(absl::StrCat(
        "has ", text.size(), " bytes of JSON, the limit is ", kMaxJsonBytes));
  }
  Checker checker(top_keys);
  json::sax_parse(text, &checker);
  if (!checker.status().ok()) return checker.status();
  return json::parse(text, /*cb=*/nullptr, /*allow_exceptions=*/false);
}

std::string Shown(const json& value) {
  if (value.is_object()) return "{...}";
  if (value.is_array() &&
      std::any_of(value.begin(), value.end(),
                  [](const json& e) { return e.is_structured(); })) {
    return "[...]";
  }
  return Shortened(value.dump(-1, ' ', false, json::error_handler_t::replace));
}

std::string Shortened(std::string_view text) {
  constexpr size_t kMaxBytes = 100;
  if (text.size() <= kMaxBytes) return std::string(text);
  size_t end = kMaxBytes;
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xC0) == 0x80) {
    --end;  // not inside a character
  }
  return std::string(text.substr(0, end)) + "...";
}

}  // namespace genzo
