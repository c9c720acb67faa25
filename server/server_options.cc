#include "server/server_options.h"

#include <filesystem>
#include <utility>

#include "CLI/CLI.hpp"
#include "absl/strings/str_cat.h"

namespace genzo {

void AddOptions(CLI::App& app, ServerOptions& options) {
  app.add_option("--config", options.config_path, "configuration file (YAML)")
      ->capture_default_str()
      ->envname("GENZO_CONFIG");
  app.add_option("--listen", options.listen,
                 "host:port, in place of the configuration's; port 0 takes a "
                 "free one");
  app.add_option("--admin", options.admin,
                 "host:port of /metrics, /livez, /readyz and /startupz, in "
                 "place of the configuration's");
  app.add_option("--http", options.http,
                 "host:port of the HTTP door, in place of the configuration's");
  app.add_option("--log-level", options.log_level,
                 "debug, info, warning, error or off");
  app.add_option("--log-format", options.log_format, "text or json");
  app.add_flag("--insecure", options.insecure,
               "serve other machines without keys, as insecure: true");
  app.add_flag("--check-config", options.check,
               "say whether the configuration is good, and end");
}

absl::StatusOr<Config> ReadConfig(const ServerOptions& options) {
  auto config = ReadConfigFile(options.config_path);
  if (!config.ok()) return config.status();
  for (const auto& [option, value] :
       {std::pair(&options.listen, &config->listen),
        std::pair(&options.admin, &config->admin),
        std::pair(&options.http, &config->http.listen)}) {
    if (option->empty()) continue;
    const absl::Status status = CheckAddress(*option);
    if (!status.ok()) return status;
    *value = *option;
  }
  if (!options.log_level.empty()) config->log_level = options.log_level;
  if (!options.log_format.empty()) config->log_format = options.log_format;
  config->insecure = config->insecure || options.insecure;
  const absl::Status reach = CheckReach(*config);
  if (!reach.ok()) return reach;
  return config;
}

absl::StatusOr<Config> ReadConfigAgain(const ServerOptions& options) {
  std::error_code error;
  if (!std::filesystem::is_regular_file(options.config_path, error)) {
    return absl::NotFoundError(
        absl::StrCat("configuration file ", options.config_path,
                     " is not a regular file, which could be read again"));
  }
  return ReadConfig(options);
}

}  // namespace genzo
