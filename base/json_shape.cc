#include "base/json_shape.h"

#include <set>

#include "nlohmann/json.hpp"

namespace genzo {
namespace {

using nlohmann::json;

class Checker : public nlohmann::json_sax<json> {
 public:
  Checker(int max_depth, bool unique_top_keys)
      : max_depth_(max_depth), unique_top_keys_(unique_top_keys) {}

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
    if (!unique_top_keys_ || depth_ > 1) return true;
    if (keys_.insert(key).second) return true;
    return Refuse({JsonFault::Kind::kRepeatedKey, 0, key});
  }
  bool parse_error(size_t position, const std::string&,
                   const nlohmann::detail::exception&) override {
    return Refuse({JsonFault::Kind::kNotJson, position, ""});
  }

  // Set if a member returned false, which ends the parsing.
  const std::optional<JsonFault>& fault() const { return fault_; }

 private:
  bool Refuse(JsonFault fault) {
    fault_ = std::move(fault);
    return false;
  }
  bool Begin() {
    return ++depth_ <= max_depth_ || Refuse({JsonFault::Kind::kTooDeep, 0, ""});
  }
  bool End() {
    --depth_;
    return true;
  }

  const int max_depth_;
  const bool unique_top_keys_;
  int depth_ = 0;
  std::set<std::string> keys_;
  std::optional<JsonFault> fault_;
};

}  // namespace

std::optional<JsonFault> FindJsonFault(std::string_view text, int max_depth,
                                       bool unique_top_keys) {
  Checker checker(max_depth, unique_top_keys);
  json::sax_parse(text, &checker);
  return checker.fault();
}

}  // namespace genzo
