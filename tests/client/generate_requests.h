#ifndef GENZO_TESTS_CLIENT_GENERATE_REQUESTS_H_
#define GENZO_TESTS_CLIENT_GENERATE_REQUESTS_H_

#include <algorithm>
#include <string>
#include <vector>

#include "CLI/CLI.hpp"
#include "absl/status/statusor.h"
#include "client/command_line.h"
#include "client/generate_command.h"

namespace genzo {

// The request of `genzo generate ARGUMENTS`.
inline v1::GenerateRequest RequestOf(std::vector<std::string> arguments) {
  CLI::App app;
  const std::string server = "localhost:1";
  const GenerateCommand command(app, server);
  arguments.insert(arguments.begin(), "generate");
  std::reverse(arguments.begin(), arguments.end());
  app.parse(arguments);
  return *command.MakeRequest();
}

// The request that the command of a request makes.
inline absl::StatusOr<v1::GenerateRequest> MadeAgain(
    const v1::GenerateRequest& request) {
  CLI::App app("genzo");
  const std::string server;
  const GenerateCommand command(app, server);
  app.parse(CommandLineOf(request).command, /*program_name_included=*/true);
  return command.MakeRequest();
}

}  // namespace genzo

#endif  // GENZO_TESTS_CLIENT_GENERATE_REQUESTS_H_
