// genzo-gateway: the HTTP door alone, before a gRPC server elsewhere.

#include <pthread.h>
#include <signal.h>

#include <cstdlib>
#include <filesystem>
#include <iostream>

#include "CLI/CLI.hpp"
#include "base/config.h"
#include "base/logging.h"
#include "base/metrics.h"
#include "base/process_metrics.h"
#include "base/standard_output.h"
#include "base/version.h"
#include "gateway/door.h"
#include "gateway/figures_page.h"
#include "gateway/server_channel.h"
#include "grpcpp/grpcpp.h"

namespace genzo {
namespace {

constexpr int kUsageError = 2;  // bad configuration, address in use
constexpr char kDefaultConfig[] = "/etc/genzo/gateway.yaml";
constexpr absl::Duration kGrace = absl::Seconds(30);

int Fail(const absl::Status& status) {
  std::cerr << "genzo-gateway: " << status.message() << std::endl;
  return kUsageError;
}

// Signals that end the door, blocked everywhere and waited for by main.
sigset_t BlockSignals() {
  signal(SIGPIPE, SIG_IGN);
  sigset_t signals;
  sigemptyset(&signals);
  for (int waited : {SIGINT, SIGTERM, SIGHUP}) sigaddset(&signals, waited);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  return signals;
}

// Whether the door could start, as far as files tell.
int Check(const GatewayConfig& config, const ServerTls& tls) {
  absl::Status status = HttpDoor::Check(config.http);
  status.Update(ConnectToServer(config.server, tls).status());
  if (!status.ok()) return Fail(status);
  std::cout << "the configuration is good" << std::endl;
  return 0;
}

int Serve(const GatewayConfig& config, const ServerTls& tls) {
  const sigset_t signals = BlockSignals();
  Metrics metrics;
  const auto process_metrics = std::make_shared<ProcessMetrics>();
  metrics.Add(process_metrics);
  metrics.SetBuildInfo({{"version", Version()}, {"grpc", grpc::Version()}});
  std::unique_ptr<HttpServer> figures;
  if (!config.admin.empty()) {
    auto served = ServeFigures(config.admin, metrics);
    if (!served.ok()) return Fail(served.status());
    figures = *std::move(served);
    spdlog::info("metrics on http://{}:{}/metrics",
                 config.admin.substr(0, config.admin.rfind(':')),
                 figures->port());
  }
  const auto channel = ConnectToServer(config.server, tls);
  if (!channel.ok()) return Fail(channel.status());
  auto door = HttpDoor::Start(config.http, *channel, Clock::Real(),
                              {.metrics = &metrics});
  if (!door.ok()) return Fail(door.status());
  metrics.SetReady(true);
  std::cout << "genzo-gateway ready on " << (*door)->url() << std::endl;
  int signal = 0;
  sigwait(&signals, &signal);
  metrics.SetReady(false);
  spdlog::info("shutting down: {:.0f} s at most",
               absl::ToDoubleSeconds(kGrace));
  (*door)->Stop(kGrace);
  return 0;
}

int Main(int argc, char** argv) {
  // gRPC's own complaints come on top of ours; GRPC_VERBOSITY brings them back.
  setenv("GRPC_VERBOSITY", "NONE", /*overwrite=*/0);
  CLI::App app("Serves a Genzo gRPC server over HTTP.", "genzo-gateway");
  std::string config_path = kDefaultConfig;
  std::string server, listen, admin, log_level;
  app.add_option("--config", config_path,
                 "configuration file (YAML); with --server the default one may "
                 "be missing")
      ->capture_default_str()
      ->envname("GENZO_GATEWAY_CONFIG");
  app.add_option("--server", server,
                 "host:port of the gRPC server, in place of the "
                 "configuration's");
  ServerTls tls;
  app.add_option("--server-ca", tls.ca_file,
                 "PEM file: use TLS to the server and trust these "
                 "authorities; \"system\": the system's")
      ->envname("GENZO_CA_FILE");
  app.add_option("--server-cert", tls.cert_file,
                 "PEM file: certificate to show a server that asks for one")
      ->envname("GENZO_CERT_FILE");
  app.add_option("--server-key", tls.key_file,
                 "PEM file: key of that certificate")
      ->envname("GENZO_CERT_KEY_FILE");
  app.add_option("--listen", listen,
                 "host:port, in place of the configuration's http.listen; port "
                 "0 takes a free one");
  app.add_option(
      "--admin", admin,
      "host:port of /metrics, in place of the configuration's admin");
  app.add_option("--log-level", log_level,
                 "debug, info, warning, error or off");
  bool check = false;
  app.add_flag("--check-config", check,
               "say whether the configuration is good, and end");
  app.footer(
      "Exit status: 0 after SIGINT, SIGTERM or SIGHUP, 2 for a bad "
      "configuration or an address in use.");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : kUsageError;
  }
  // --server is all that a door must be told.
  std::error_code ignored;
  const bool needs_file = app.count("--config") > 0 || server.empty() ||
                          std::filesystem::exists(config_path, ignored);
  auto config = needs_file ? ReadGatewayConfigFile(config_path)
                           : ParseGatewayConfig("", /*base_folder=*/"");
  if (!config.ok()) return Fail(config.status());
  if (!server.empty()) config->server = server;
  if (!listen.empty()) config->http.listen = listen;
  if (!log_level.empty()) config->log_level = log_level;
  if (!admin.empty()) config->admin = admin;
  for (const std::string& address :
       {config->server, config->http.listen, config->admin}) {
    if (address.empty()) continue;  // the first two are not
    const absl::Status status = CheckAddress(address);
    if (!status.ok()) return Fail(status);
  }
  const absl::Status logging =
      InitLogging(config->log_level, config->log_format);
  if (!logging.ok()) return Fail(logging);
  return check ? Check(*config, tls) : Serve(*config, tls);
}

}  // namespace
}  // namespace genzo

int main(int argc, char** argv) {
  return genzo::EndOutput("genzo-gateway", genzo::Main(argc, argv));
}
