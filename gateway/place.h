#ifndef GENZO_GATEWAY_PLACE_H_
#define GENZO_GATEWAY_PLACE_H_

#include <cstddef>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"

// Where a value stands in a request, as messages of faults say it:
// "controls[0].image". All functions are pure.

namespace genzo {

// Entry `index` of the list at `place`: "controls[0]".
inline std::string EntryOf(absl::string_view place, size_t index) {
  return absl::StrCat(place, "[", index, "]");
}

// The field `name` of the object at `place`; "" is the outermost object, or
// this one itself.
inline std::string Inside(absl::string_view place, absl::string_view name) {
  return absl::StrCat(place, place.empty() || name.empty() ? "" : ".", name);
}

}  // namespace genzo

#endif  // GENZO_GATEWAY_PLACE_H_
