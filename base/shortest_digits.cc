#include "base/shortest_digits.h"

#include <array>
#include <charconv>

namespace genzo {

std::string ShortestDigits(double number) {
  std::array<char, 32> digits;  // the longest double has 24
  const auto end =
      std::to_chars(digits.data(), digits.data() + digits.size(), number).ptr;
  return {digits.data(), end};
}

}  // namespace genzo
