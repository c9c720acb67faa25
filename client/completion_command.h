#ifndef GENZO_CLIENT_COMPLETION_COMMAND_H_
#define GENZO_CLIENT_COMPLETION_COMMAND_H_

#include <string>
#include <vector>

#include "CLI/CLI.hpp"
#include "client/status_report.h"

namespace genzo {

// What the last of `words` may become, a command line with the program's name
// first and a last word that is being typed: subcommands, options, or an
// option's values, sorted. Empty where a file or a free text stands. Pure.
std::vector<std::string> Completions(const CLI::App& app,
                                     const std::vector<std::string>& words);

// `genzo completion SHELL` prints a script for the shell, which asks the
// program itself, `genzo complete -- WORDS`, for what may come.
class CompletionCommand {
 public:
  // Adds the subcommands to `app`, which this object outlives. To be made after
  // all others.
  explicit CompletionCommand(CLI::App& app);

  bool parsed() const { return script_->parsed() || complete_->parsed(); }
  ExitStatus Run() const;

 private:
  const CLI::App& app_;
  CLI::App* const script_;
  CLI::App* const complete_;
  std::string shell_;
  std::vector<std::string> words_;
};

}  // namespace genzo

#endif  // GENZO_CLIENT_COMPLETION_COMMAND_H_
