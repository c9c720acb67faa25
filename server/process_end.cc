#include "server/process_end.h"

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <thread>

#include "base/clock.h"
#include "base/logging.h"
#include "server/jobs/result_store.h"

namespace genzo {
namespace {

[[noreturn]] void EndNow(const char* why, int exit_status) {
  spdlog::critical("{}", why);
  spdlog::shutdown();
  std::_Exit(exit_status);
}

}  // namespace

void EndHung() { EndNow("something hangs: ending without it", kHung); }

void EndAtOnce(const std::string& results_folder) {
  ResultStore::NoteCleanEnd(results_folder);
  EndNow("a second signal: ending at once", kEndedAtOnce);
}

void EndWithin(absl::Duration time, const sigset_t& signals,
               const std::string& results_folder) {
  std::thread([until = Clock::Real().Now() + time, signals, results_folder] {
    while (true) {
      const timespec left = absl::ToTimespec(
          std::max(absl::ZeroDuration(), until - Clock::Real().Now()));
      const int signal = sigtimedwait(&signals, nullptr, &left);
      if (signal == SIGTERM || signal == SIGINT) EndAtOnce(results_folder);
      if (signal < 0 && errno == EAGAIN) EndHung();
    }
  }).detach();
}

}  // namespace genzo
