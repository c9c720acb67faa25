#ifndef GENZO_TOOLS_BENCH_TABLE_H_
#define GENZO_TOOLS_BENCH_TABLE_H_

#include <string>

#include "tools/bench/report.h"

namespace genzo {

// `report` for people: a line a load, what each scenario found, and what went
// wrong. Pure.
std::string Table(const BenchReport& report);

}  // namespace genzo

#endif  // GENZO_TOOLS_BENCH_TABLE_H_
