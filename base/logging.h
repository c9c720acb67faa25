#ifndef GENZO_BASE_LOGGING_H_
#define GENZO_BASE_LOGGING_H_

#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "spdlog/spdlog.h"

#ifndef SPDLOG_COMPILED_LIB
#error "without genzo::base among its DEPS a library logs on its own"
#endif

namespace genzo {

// Sends spdlog's default logger to standard error, one line an entry, with UTC
// times. `level` is one of debug, info, warning, error, off; `format` one of
// text and json (an object a line: ts, level, msg and the fields of LogEvent);
// anything else is INVALID_ARGUMENT. Call once, before any thread.
absl::Status InitLogging(const std::string& level,
                         const std::string& format = "text");

// What an event concerns, by name. Names of the schema: request_id, job,
// tenant, trace (its id), model, reason. Fields with an empty value are left
// out.
using LogFields = std::vector<std::pair<const char*, std::string>>;

// Logs that something happened: `event` is a constant, whatever varies is in
// the fields, where it may hold anything.
//
//   2026-11-27T04:00:00.000Z info job accepted job=4f2a model=emaki tenant="a
//   b"
//   {"ts":"2026-11-27T04:00:00.000Z","level":"info","msg":"job accepted", ...}
void LogEvent(spdlog::level::level_enum level, absl::string_view event,
              const LogFields& fields);

}  // namespace genzo

#endif  // GENZO_BASE_LOGGING_H_
