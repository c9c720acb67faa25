// genzo: the command line client.

#include <cstdlib>
#include <string>

#include "CLI/CLI.hpp"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/standard_output.h"
#include "base/version.h"
#include "client/completion_command.h"
#include "client/connection.h"
#include "client/generate_command.h"
#include "client/jobs_command.h"
#include "client/loras_command.h"
#include "client/models_command.h"
#include "client/score_command.h"
#include "client/status_report.h"
#include "client/top_command.h"
#include "client/upscale_command.h"
#include "client/usage_message.h"

namespace genzo {
namespace {

int Main(int argc, char** argv) {
  setenv("GRPC_VERBOSITY", "NONE", /*overwrite=*/0);
  CLI::App app("Client of a Genzo image generation server.", "genzo");
  app.fallthrough();
  app.failure_message(UsageMessage);
  app.set_version_flag("--version", Version());
  std::string server = "localhost:50051";
  app.add_option("--server", server, "host:port of the server")
      ->capture_default_str()
      ->check(CLI::Validator(
          [](const std::string& text) -> std::string {
            if (text.empty()) return "it is empty; it must be host:port";
            // gRPC would look for a host of that name.
            return absl::StrContains(text, "http://") ||
                           absl::StrContains(text, "https://")
                       ? text + " is no host:port; leave http:// away"
                       : std::string();
          },
          "HOST:PORT"))
      ->envname("GENZO_SERVER");
  app.footer(
      "Exit status: 0 done; 1 the server failed or output cannot be written;\n"
      "2 wrong command line; 3 the server refuses the request; 4 no server, "
      "or\n"
      "it is full; 5 --timeout passed or would; 6 another service is at that\n"
      "address; 130 cancelled with Ctrl-C.\n"
      "Environment: GENZO_API_KEY is sent with every call, and GENZO_TENANT\n"
      "if the key names tenants; GENZO_CA_FILE, a PEM file or \"system\",\n"
      "asks for TLS; GENZO_CERT_FILE and GENZO_CERT_KEY_FILE are shown to a\n"
      "server that asks for a certificate.");
  GenerateCommand generate(app, server);
  const ModelsCommand models(app, server);
  const LorasCommand loras(app, server);
  const JobsCommand jobs(app, server);
  const ScoreCommand score(app, server);
  const TopCommand top(app);
  const CompletionCommand completion(app, server);
  const UpscaleCommand upscale(app, server);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? kExitOk : kExitUsage;
  }
  const bool calls = !top.parsed() && !completion.parsed();
  const absl::Status environment =
      calls ? CheckEnvironment() : absl::OkStatus();
  if (!environment.ok()) return Fail(environment.message(), kExitUsage);
  if (generate.parsed()) return generate.Run();
  if (models.parsed()) return models.Run();
  if (loras.parsed()) return loras.Run();
  if (jobs.parsed()) return jobs.Run();
  if (upscale.parsed()) return upscale.Run();
  if (score.parsed()) return score.Run();
  if (top.parsed()) return top.Run();
  if (completion.parsed()) return completion.Run();
  return Fail(absl::StrCat("a command is missing: ",
                           absl::StrJoin(CommandNames(app), ", "),
                           "; --help tells more"),
              kExitUsage);
}

}  // namespace
}  // namespace genzo

int main(int argc, char** argv) {
  return genzo::EndOutput("genzo", genzo::Main(argc, argv));
}
