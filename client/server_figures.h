#ifndef GENZO_CLIENT_SERVER_FIGURES_H_
#define GENZO_CLIENT_SERVER_FIGURES_H_

#include <map>
#include <set>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "nlohmann/json.hpp"

namespace genzo {

// A server's /metrics page at one moment. A value.
class MetricsSample {
 public:
  using Labels = std::map<std::string, std::string>;

  // Reads Prometheus' text format; lines that are none of it are left out.
  static MetricsSample Parse(absl::string_view page);

  // The sum of `name` over what has all of `labels`; 0 if nothing does.
  double Sum(const std::string& name, const Labels& labels = {}) const;
  // The values that `label` has in `name`, sorted.
  std::set<std::string> Values(const std::string& name,
                               const std::string& label) const;
  // The first labels of `name`; none if it is not there.
  Labels LabelsOf(const std::string& name) const;

 private:
  struct Row {
    Labels labels;
    double value;
  };
  std::map<std::string, std::vector<Row>> rows_;  // by name
};

// What `genzo top` shows, as its --json prints it: rates and mean times are
// those between the two samples, which are `between` apart; a time of which
// nothing was measured is null. Pure.
nlohmann::ordered_json FiguresOf(const MetricsSample& before,
                                 const MetricsSample& now,
                                 absl::Duration between);

// The same for people: lines of at most `columns` characters.
std::vector<std::string> FigureLines(const nlohmann::ordered_json& figures,
                                     size_t columns);

}  // namespace genzo

#endif  // GENZO_CLIENT_SERVER_FIGURES_H_
