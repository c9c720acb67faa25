#ifndef GENZO_CLIENT_MODELS_COMMAND_H_
#define GENZO_CLIENT_MODELS_COMMAND_H_

#include <string>

#include "CLI/CLI.hpp"
#include "client/status_report.h"

namespace genzo {

// `genzo models`: what the server can paint with; and with load, unload or
// drain, orders to it, see genzo.v1.ModelAdmin.
class ModelsCommand {
 public:
  // Adds the subcommand to `app`, which this object outlives.
  ModelsCommand(CLI::App& app, const std::string& server);

  bool parsed() const { return command_->parsed(); }
  ExitStatus Run() const;

 private:
  ExitStatus List() const;
  ExitStatus Order() const;

  CLI::App* const command_;
  CLI::App* const load_;
  CLI::App* const unload_;
  CLI::App* const drain_;
  const std::string& server_;
  bool json_ = false;
  bool pin_ = false;
  std::string id_;
};

}  // namespace genzo

#endif  // GENZO_CLIENT_MODELS_COMMAND_H_
