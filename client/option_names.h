#ifndef GENZO_CLIENT_OPTION_NAMES_H_
#define GENZO_CLIENT_OPTION_NAMES_H_

#include <string>

#include "absl/strings/string_view.h"

namespace genzo {

// The option of `genzo` that sets the field of a request at the path `field`,
// "hires.factor" or "loras[1].weight"; empty where it is called as the field
// is, or there is none. Pure.
std::string OptionOf(absl::string_view field);

}  // namespace genzo

#endif  // GENZO_CLIENT_OPTION_NAMES_H_
