#ifndef GENZO_CLIENT_JOBS_COMMAND_H_
#define GENZO_CLIENT_JOBS_COMMAND_H_

#include <cstdint>
#include <string>
#include <vector>

#include "CLI/CLI.hpp"
#include "client/status_report.h"

namespace genzo {

// `genzo jobs`, `genzo watch` and `genzo cancel`: jobs that outlive the call
// that made them.
class JobsCommand {
 public:
  // Adds the subcommands to `app`, which this object outlives. `server` is the
  // global option's value when Run() is called.
  JobsCommand(CLI::App& app, const std::string& server);

  bool parsed() const {
    return list_->parsed() || watch_->parsed() || cancel_->parsed();
  }
  ExitStatus Run() const;

 private:
  ExitStatus List() const;
  // Writes the job's pictures and shows the rest, as `genzo generate` does;
  // Ctrl-C leaves, and the job goes on.
  ExitStatus Watch() const;
  ExitStatus Cancel() const;

  CLI::App* const list_;
  CLI::App* const watch_;
  CLI::App* const cancel_;
  const std::string& server_;
  std::string id_;
  std::vector<std::string> states_;
  uint64_t after_ = 0;
  std::string output_folder_ = ".";
  bool json_ = false;
  bool no_art_ = false;
};

}  // namespace genzo

#endif  // GENZO_CLIENT_JOBS_COMMAND_H_
