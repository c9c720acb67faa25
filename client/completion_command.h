#ifndef GENZO_CLIENT_COMPLETION_COMMAND_H_
#define GENZO_CLIENT_COMPLETION_COMMAND_H_

#include <string>
#include <vector>

#include "CLI/CLI.hpp"
#include "client/status_report.h"

namespace genzo {

// `genzo completion SHELL` prints a script for the shell, which asks the
// program itself, `genzo complete -- WORDS`, for what may come. Names of
// models, adapters, jobs, upscalers and scorers are the server's, if it answers
// at once.
class CompletionCommand {
 public:
  // Adds the subcommands to `app`, which this object outlives. To be made after
  // all others. `server` is the global option's value when Run() is called.
  CompletionCommand(CLI::App& app, const std::string& server);

  bool parsed() const { return script_->parsed() || complete_->parsed(); }
  ExitStatus Run() const;

 private:
  const CLI::App& app_;
  const std::string& server_;
  CLI::App* const script_;
  CLI::App* const complete_;
  std::string shell_;
  std::vector<std::string> words_;
  std::string line_;  // in place of words
  std::string kept_;  // its part that the shell replaces nothing of
};

}  // namespace genzo

#endif  // GENZO_CLIENT_COMPLETION_COMMAND_H_
