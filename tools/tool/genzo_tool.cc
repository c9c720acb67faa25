// genzo-tool: what is done beside a server.

#include <iostream>

#include "CLI/CLI.hpp"
#include "tools/tool/key_command.h"

namespace genzo {
namespace {

constexpr int kUsageError = 2;

int Main(int argc, char** argv) {
  CLI::App app("Prepares what genzo-server uses.", "genzo-tool");
  app.require_subcommand(1);
  absl::Status status;
  AddKeyCommand(app, std::cout, status);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : kUsageError;
  }
  if (status.ok()) return 0;
  std::cerr << "genzo-tool: " << status.message() << std::endl;
  return 1;
}

}  // namespace
}  // namespace genzo

int main(int argc, char** argv) { return genzo::Main(argc, argv); }
