#ifndef GENZO_TOOLS_SIM_REPORT_H_
#define GENZO_TOOLS_SIM_REPORT_H_

#include <string>

#include "nlohmann/json.hpp"
#include "tools/sim/simulation.h"

namespace genzo {

// The figures of one simulation, in seconds, shares and counts: throughput,
// goodput (done within its deadline), quantiles of total time and of the time
// to the first step, slowdown against the time alone, fairness between tenants
// (Jain's index of pictures), prediction error, refusals by reason, and the
// other tenants' p99 beside a flood.
nlohmann::json Figures(const SimResult& result);

// One line of a table with the most telling of `figures`, and its header.
std::string TableHeader();
std::string TableLine(const std::string& name, const nlohmann::json& figures);

}  // namespace genzo

#endif  // GENZO_TOOLS_SIM_REPORT_H_
