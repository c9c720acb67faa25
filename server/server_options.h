#ifndef GENZO_SERVER_SERVER_OPTIONS_H_
#define GENZO_SERVER_SERVER_OPTIONS_H_

#include <string>

#include "absl/status/statusor.h"
#include "base/config.h"

namespace CLI {
class App;
}  // namespace CLI

namespace genzo {

// What the server's command line says. Empty: as in the configuration's file.
struct ServerOptions {
  std::string config_path = "/etc/genzo/genzo.yaml";
  std::string listen;
  std::string admin;
  std::string http;
  std::string log_level;
  std::string log_format;
  bool insecure = false;
  bool check = false;
};

// Has `app` fill `options`, which outlive it.
void AddOptions(CLI::App& app, ServerOptions& options);

// The configuration's file, with what the command line says in place of its
// own. INVALID_ARGUMENT or NOT_FOUND, naming what is wrong.
absl::StatusOr<Config> ReadConfig(const ServerOptions& options);

// The same once the server runs. NOT_FOUND, too, for what can be read once
// only: a pipe would have nothing more, for ever.
absl::StatusOr<Config> ReadConfigAgain(const ServerOptions& options);

}  // namespace genzo

#endif  // GENZO_SERVER_SERVER_OPTIONS_H_
