#ifndef GENZO_CLIENT_MODELS_COMMAND_H_
#define GENZO_CLIENT_MODELS_COMMAND_H_

#include <string>

#include "CLI/CLI.hpp"
#include "client/status_report.h"

namespace genzo {

// `genzo models`: what the server can paint with.
class ModelsCommand {
 public:
  // Adds the subcommand to `app`, which this object outlives.
  ModelsCommand(CLI::App& app, const std::string& server);

  bool parsed() const { return command_->parsed(); }
  ExitStatus Run() const;

 private:
  CLI::App* const command_;
  const std::string& server_;
  bool json_ = false;
};

}  // namespace genzo

#endif  // GENZO_CLIENT_MODELS_COMMAND_H_
