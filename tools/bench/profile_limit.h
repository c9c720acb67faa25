#ifndef GENZO_TOOLS_BENCH_PROFILE_LIMIT_H_
#define GENZO_TOOLS_BENCH_PROFILE_LIMIT_H_

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "tools/bench/request_mix.h"

namespace genzo {

// Seconds of an evaluation by its rows.
using RowSeconds = std::map<int, double>;

// genzo_profile_step_seconds of `model` on a server's /metrics page; empty if
// it is not there.
RowSeconds ReadProfile(const std::string& page, const std::string& model);

// How many times one client's throughput the profile allows for a mix of
// `kinds`, as often each: alone, an image's rows make an evaluation; in company
// they share the evaluation that is cheapest a row. Moves count as evaluations
// and cost as the area; decoding, which shares nothing, is left out, so that
// nobody gets quite so much. None without a profile.
std::optional<double> GainOfSharing(const RowSeconds& profile,
                                    const std::vector<RequestKind>& kinds);

}  // namespace genzo

#endif  // GENZO_TOOLS_BENCH_PROFILE_LIMIT_H_
