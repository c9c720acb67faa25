#ifndef GENZO_CLIENT_LORAS_COMMAND_H_
#define GENZO_CLIENT_LORAS_COMMAND_H_

#include <string>

#include "CLI/CLI.hpp"
#include "client/status_report.h"

namespace genzo {

// `genzo loras`: the adapters that the server has.
class LorasCommand {
 public:
  // Adds the subcommand to `app`, which this object outlives.
  LorasCommand(CLI::App& app, const std::string& server);

  bool parsed() const { return command_->parsed(); }
  ExitStatus Run() const;

 private:
  CLI::App* const command_;
  const std::string& server_;
  std::string model_;
  bool json_ = false;
};

}  // namespace genzo

#endif  // GENZO_CLIENT_LORAS_COMMAND_H_
