// The program genzo-tool: what is done beside a server.

#include <exception>
#include <iostream>

#include "CLI/CLI.hpp"
#include "base/standard_output.h"
#include "base/utf8.h"
#include "base/version.h"
#include "c10/core/InferenceMode.h"
#include "tools/tool/convert_command.h"
#include "tools/tool/inspect_command.h"
#include "tools/tool/key_command.h"
#include "tools/tool/picture_commands.h"
#include "worker/device/exception_status.h"

namespace genzo {
namespace {

constexpr int kFailed = 1;
constexpr int kUsageError = 2;

int Main(int argc, char** argv) {
  const c10::InferenceMode inference;
  CLI::App app("Looks at models and pictures, rewrites models, and makes keys.",
               "genzo-tool");
  app.require_subcommand(1);
  app.set_version_flag("--version", Version());
  app.footer(
      "Exit status: 0, 1 if something cannot be read or written or is no "
      "model, 2\nfor wrong arguments.");
  absl::Status status;
  AddInspectCommand(app, status);
  AddConvertCommand(app, status);
  AddKeyCommand(app, std::cout, status);
  AddPictureCommands(app, status);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : kUsageError;
  } catch (const std::exception&) {
    status = StatusFromException("genzo-tool");
  }
  if (status.ok()) return 0;
  std::cerr << "genzo-tool: " << Printable(status.message()) << std::endl;
  return kFailed;
}

}  // namespace
}  // namespace genzo

int main(int argc, char** argv) {
  return genzo::EndOutput("genzo-tool", genzo::Main(argc, argv));
}
