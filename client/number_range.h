#ifndef GENZO_CLIENT_NUMBER_RANGE_H_
#define GENZO_CLIENT_NUMBER_RANGE_H_

#include "CLI/CLI.hpp"

namespace genzo {

// Takes numbers from `min` to `max`: as CLI::Range, which takes "nan" too.
CLI::Validator NumberRange(double min, double max);

}  // namespace genzo

#endif  // GENZO_CLIENT_NUMBER_RANGE_H_
