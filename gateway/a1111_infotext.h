#ifndef GENZO_GATEWAY_A1111_INFOTEXT_H_
#define GENZO_GATEWAY_A1111_INFOTEXT_H_

#include "absl/strings/string_view.h"
#include "nlohmann/json.hpp"

namespace genzo {

// What a picture's "parameters" say, by the names in them, as A1111 reads them:
//
//   a fox
//   Negative prompt: snow
//   Steps: 20, Sampler: Euler a, CFG scale: 7, Seed: 5, Size: 64x48
//
// is {"Prompt": "a fox", "Negative prompt": "snow", "Steps": "20", ...,
// "Size-1": "64", "Size-2": "48"}. The last line is read so where it has three
// values or more, else it is text, too. A value in quotes is a JSON string.
// What is left out has A1111's own default where it has one. UTF-8, of
// anybody's making; time is linear in its size. Reference:
// parse_generation_parameters of A1111's modules/infotext_utils.py. Pure.
nlohmann::json ReadInfotext(absl::string_view text);

}  // namespace genzo

#endif  // GENZO_GATEWAY_A1111_INFOTEXT_H_
