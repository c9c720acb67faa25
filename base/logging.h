#ifndef GENZO_BASE_LOGGING_H_
#define GENZO_BASE_LOGGING_H_

#include <string>

#include "absl/status/status.h"
#include "spdlog/spdlog.h"

namespace genzo {

// Sends spdlog's default logger to standard error, one line an entry, with UTC
// times. `level` is one of debug, info, warning, error, off; anything else is
// INVALID_ARGUMENT. Prompts are never logged. Call once, before any thread.
absl::Status InitLogging(const std::string& level);

}  // namespace genzo

#endif  // GENZO_BASE_LOGGING_H_
