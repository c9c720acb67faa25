#include "client/metrics_text.h"

#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"

namespace genzo {

absl::StatusOr<double> MetricSum(absl::string_view page,
                                 absl::string_view name) {
  double sum = 0;
  bool found = false;
  for (absl::string_view line : absl::StrSplit(page, '\n')) {
    if (!absl::ConsumePrefix(&line, name)) continue;
    // A label's value may hold spaces and braces, but not the last brace.
    if (absl::StartsWith(line, "{")) line.remove_prefix(line.rfind('}') + 1);
    if (!absl::StartsWith(line, " ")) continue;  // a longer name
    const std::vector<absl::string_view> words =
        absl::StrSplit(line, ' ', absl::SkipEmpty());
    double value = 0;
    if (words.empty() || !absl::SimpleAtod(words[0], &value)) continue;
    sum += value;
    found = true;
  }
  if (found) return sum;
  return absl::NotFoundError(
      absl::StrCat("the metrics page does not have ", name));
}

}  // namespace genzo
