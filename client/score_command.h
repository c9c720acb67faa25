#ifndef GENZO_CLIENT_SCORE_COMMAND_H_
#define GENZO_CLIENT_SCORE_COMMAND_H_

#include <string>
#include <vector>

#include "CLI/CLI.hpp"
#include "client/status_report.h"

namespace genzo {

// `genzo score`: has the server say how well pictures fit a text, or how much
// people would like them.
class ScoreCommand {
 public:
  // Adds the subcommand to `app`, which this object outlives. `server` is the
  // global option's value when Run() is called.
  ScoreCommand(CLI::App& app, const std::string& server);

  bool parsed() const { return command_->parsed(); }
  // Prints a line a file, the score and its name, in their order; or a line a
  // scorer. As JSON where that is asked for.
  ExitStatus Run() const;

 private:
  ExitStatus List() const;

  CLI::App* const command_;
  const std::string& server_;
  std::vector<std::string> paths_;
  std::string prompt_;
  std::string scorer_;
  std::string model_;
  bool list_ = false;
  bool json_ = false;
};

}  // namespace genzo

#endif  // GENZO_CLIENT_SCORE_COMMAND_H_
