#ifndef GENZO_TOOLS_BENCH_ENVIRONMENT_H_
#define GENZO_TOOLS_BENCH_ENVIRONMENT_H_

#include <string>

namespace genzo {

// Where and when the bench ran. Its machine is the server's only if they share
// one.
struct Environment {
  std::string date;       // RFC 3339, UTC
  std::string cpu_model;  // "unknown" where /proc/cpuinfo does not tell
  int cores = 0;          // that this process may use
};

Environment ThisEnvironment();

}  // namespace genzo

#endif  // GENZO_TOOLS_BENCH_ENVIRONMENT_H_
