#include "client/number_range.h"

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "base/shortest_digits.h"

namespace genzo {

CLI::Validator NumberRange(double min, double max) {
  const std::string range =
      absl::StrCat(ShortestDigits(min), " to ", ShortestDigits(max));
  return CLI::Validator(
      [min, max, range](const std::string& text) -> std::string {
        double number = 0;
        if (absl::SimpleAtod(text, &number) && number >= min && number <= max) {
          return "";
        }
        return absl::StrCat("\"", text, "\" is not a number from ", range);
      },
      "[" + range + "]");
}

}  // namespace genzo
