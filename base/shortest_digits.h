#ifndef GENZO_BASE_SHORTEST_DIGITS_H_
#define GENZO_BASE_SHORTEST_DIGITS_H_

#include <string>

namespace genzo {

// The shortest text that is read back as the same number: "7.5", "0.1",
// "1e+23". Thread-safe.
std::string ShortestDigits(double number);

}  // namespace genzo

#endif  // GENZO_BASE_SHORTEST_DIGITS_H_
