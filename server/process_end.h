#ifndef GENZO_SERVER_PROCESS_END_H_
#define GENZO_SERVER_PROCESS_END_H_

#include <signal.h>

#include <string>

#include "absl/time/time.h"

namespace genzo {

// What the process ends with where it does not end by itself.
inline constexpr int kHung = 3;         // a device or a file that never answers
inline constexpr int kEndedAtOnce = 4;  // a second signal

// Both end the process where it stands: a thread that hangs cannot be ended.
[[noreturn]] void EndHung();
// As a second signal asks for. Jobs that are kept in `results_folder` go on
// with the next server.
[[noreturn]] void EndAtOnce(const std::string& results_folder);

// From now on the process ends within `time`, whatever hangs, and at once at
// another signal to end, of `signals`, which are blocked.
void EndWithin(absl::Duration time, const sigset_t& signals,
               const std::string& results_folder);

}  // namespace genzo

#endif  // GENZO_SERVER_PROCESS_END_H_
