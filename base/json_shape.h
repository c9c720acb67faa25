#ifndef GENZO_BASE_JSON_SHAPE_H_
#define GENZO_BASE_JSON_SHAPE_H_

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace genzo {

// Why a text is not to be parsed.
struct JsonFault {
  enum class Kind { kNotJson, kTooDeep, kRepeatedKey };
  Kind kind = Kind::kNotJson;
  size_t position = 0;  // of kNotJson, in bytes
  std::string key;      // of kRepeatedKey
};

// Looks through JSON of any origin without building anything; nullopt if it is
// JSON of at most `max_depth` levels, with `unique_top_keys` also without a key
// of its outermost object twice. (The library's parser with a callback could
// tell the same, in time that grows with the square of an object's keys.) Pure.
std::optional<JsonFault> FindJsonFault(std::string_view text, int max_depth,
                                       bool unique_top_keys);

}  // namespace genzo

#endif  // GENZO_BASE_JSON_SHAPE_H_
