#ifndef GENZO_BASE_HIRES_DEFAULTS_H_
#define GENZO_BASE_HIRES_DEFAULTS_H_

#include "genzo/v1/image_generation.pb.h"

namespace genzo {

// What a second pass has unless it is told, and the most that it enlarges.
inline constexpr double kDefaultHiresStrength = 0.7;
inline constexpr double kDefaultHiresFactor = 2;
inline constexpr double kMaxHiresFactor = 4;

// Its strength before it is resolved: the default for none, and for one that is
// out of range and will be refused.
inline double StrengthOf(const v1::HiresPass& hires) {
  return hires.strength() > 0 && hires.strength() <= 1 ? hires.strength()
                                                       : kDefaultHiresStrength;
}

}  // namespace genzo

#endif  // GENZO_BASE_HIRES_DEFAULTS_H_
