#ifndef GENZO_GATEWAY_OPENAPI_VALUES_H_
#define GENZO_GATEWAY_OPENAPI_VALUES_H_

#include <cstdint>
#include <string>

#include "nlohmann/json.hpp"

// The schemas that others are made of.

namespace genzo {

// One of the document's own, by its name.
inline nlohmann::json Ref(const std::string& name) {
  return {{"$ref", "#/components/schemas/" + name}};
}

inline nlohmann::json Text() { return {{"type", "string"}}; }
inline nlohmann::json Whole(int64_t min, int64_t max) {
  return {{"type", "integer"}, {"minimum", min}, {"maximum", max}};
}
inline nlohmann::json Seed() {
  return {{"type", "integer"}, {"minimum", -1}, {"maximum", UINT64_MAX}};
}
inline nlohmann::json Number(double min, double max) {
  return {{"type", "number"}, {"minimum", min}, {"maximum", max}};
}
inline nlohmann::json OneOf(const nlohmann::json& names) {
  return {{"type", "string"}, {"enum", names}};
}

}  // namespace genzo

#endif  // GENZO_GATEWAY_OPENAPI_VALUES_H_
