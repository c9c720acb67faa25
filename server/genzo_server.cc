// genzo-server: the front end with an in-process worker.

#include <pthread.h>
#include <signal.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstdlib>
#include <functional>
#include <iostream>
#include <thread>

#include "CLI/CLI.hpp"
#include "absl/strings/str_cat.h"
#include "base/clock.h"
#include "base/config.h"
#include "base/logging.h"
#include "base/metrics.h"
#include "base/model_catalog.h"
#include "queue/memory_job_queue.h"
#include "server/front_end.h"
#include "worker/engine/worker_pool.h"

namespace genzo {
namespace {

constexpr int kUsageError = 2;  // bad configuration, address in use
constexpr char kDefaultConfig[] = "/etc/genzo/genzo.yaml";
// For streams to deliver their last events once all jobs have ended.
constexpr absl::Duration kLastWrites = absl::Seconds(5);

struct Options {
  std::string config_path = kDefaultConfig;
  std::string listen;
  std::string admin;
  std::string log_level;
};

// Signals that end the server, and the one by which the engine's thread says
// that it is done. Blocked everywhere; waited for by the main thread.
sigset_t BlockSignals() {
  sigset_t signals;
  sigemptyset(&signals);
  for (int signal : {SIGINT, SIGTERM, SIGUSR1}) sigaddset(&signals, signal);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  return signals;
}

int Fail(const absl::Status& status) {
  std::cerr << "genzo-server: " << status.message() << std::endl;
  return kUsageError;
}

// "127.0.0.1:0" with the port that was taken.
std::string BoundAddress(const std::string& listen, int port) {
  return absl::StrCat(listen.substr(0, listen.rfind(':')), ":", port);
}

absl::StatusOr<Config> ReadConfig(const Options& options) {
  auto config = ReadConfigFile(options.config_path);
  if (!config.ok()) return config.status();
  for (const auto& [option, value] :
       {std::pair(&options.listen, &config->listen),
        std::pair(&options.admin, &config->admin)}) {
    if (option->empty()) continue;
    const absl::Status status = CheckAddress(*option);
    if (!status.ok()) return status;
    *value = *option;
  }
  if (!options.log_level.empty()) config->log_level = options.log_level;
  return config;
}

// The signals that the main thread waits for, one of which the pool sends when
// it is done.
class Waiter {
 public:
  explicit Waiter(const sigset_t& signals) : signals_(signals) {}

  // The pool's threads have ended.
  void Done() {
    done_ = true;
    pthread_kill(main_thread_, SIGUSR1);
  }

  // Waits until the pool is done or somebody wants the server to end. Returns
  // whether the pool is done.
  bool WaitForSignal(absl::Time until) const {
    while (!done_) {
      const timespec timeout = absl::ToTimespec(
          std::max(absl::ZeroDuration(), until - Clock::Real().Now()));
      const bool forever = until == absl::InfiniteFuture();
      // SIGUSR1 may come from outside: then the wait goes on.
      const int signal =
          sigtimedwait(&signals_, nullptr, forever ? nullptr : &timeout);
      if (signal != SIGUSR1 && (signal > 0 || errno == EAGAIN)) return done_;
    }
    return true;
  }

 private:
  const sigset_t signals_;
  const pthread_t main_thread_ = pthread_self();
  std::atomic<bool> done_{false};
};

// Lets live jobs finish for the grace period; a second signal or its end
// cancels them.
void Drain(const Config& config, const Waiter& waiter, WorkerPool& pool,
           FrontEnd& front_end, JobQueue& queue) {
  spdlog::info("shutting down: finishing live jobs, {:.0f} s at most",
               absl::ToDoubleSeconds(config.shutdown_grace));
  pool.Stop();
  front_end.SetServing(false);
  queue.Close();
  if (waiter.WaitForSignal(Clock::Real().Now() + config.shutdown_grace)) return;
  spdlog::warn("cancelling live jobs");
  queue.CancelAll();
}

int Serve(const Config& config) {
  const sigset_t signals = BlockSignals();
  const Clock& clock = Clock::Real();
  Metrics metrics;
  ModelCatalog catalog(config.default_model);
  LoadBoard board;
  MemoryJobQueue queue(config.queue_capacity, clock, metrics, board);
  if (!config.admin.empty()) {
    const auto port = metrics.Serve(config.admin);
    if (!port.ok()) return Fail(port.status());
    spdlog::info("metrics on http://{}/metrics",
                 BoundAddress(config.admin, *port));
  }
  auto pool =
      WorkerPool::Create(config, {queue, board, catalog, metrics, clock});
  if (!pool.ok()) return Fail(pool.status());
  auto front_end = FrontEnd::Start(config.listen, config.limits,
                                   {queue, catalog, metrics, clock, **pool});
  if (!front_end.ok()) return Fail(front_end.status());
  const std::string address = BoundAddress(config.listen, (*front_end)->port());
  spdlog::info("listening on {}, devices: {}", address, (*pool)->Description());

  Waiter waiter(signals);
  const auto on_loaded = [&] {
    (*front_end)->SetServing(true);
    std::cout << "genzo-server ready on " << address << std::endl;
  };
  (*pool)->Start(on_loaded, [&waiter] { waiter.Done(); });
  if (!waiter.WaitForSignal(absl::InfiniteFuture())) {
    Drain(config, waiter, **pool, **front_end, queue);
    waiter.WaitForSignal(absl::InfiniteFuture());
  }
  (*front_end)->Shutdown(kLastWrites);
  spdlog::info("stopped");
  return 0;
}

int Main(int argc, char** argv) {
  // gRPC's own complaints come on top of ours; GRPC_VERBOSITY brings them back.
  setenv("GRPC_VERBOSITY", "NONE", /*overwrite=*/0);
  CLI::App app("Serves image generation over gRPC.", "genzo-server");
  Options options;
  app.add_option("--config", options.config_path, "configuration file (YAML)")
      ->capture_default_str()
      ->envname("GENZO_CONFIG");
  app.add_option("--listen", options.listen,
                 "host:port, in place of the configuration's; port 0 takes a "
                 "free one");
  app.add_option("--admin", options.admin,
                 "host:port of /metrics, in place of the configuration's");
  app.add_option("--log-level", options.log_level,
                 "debug, info, warning, error or off");
  app.footer(
      "Exit status: 0 after SIGINT or SIGTERM, 2 for a bad "
      "configuration or an address in use.");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : kUsageError;
  }
  const auto config = ReadConfig(options);
  if (!config.ok()) return Fail(config.status());
  const absl::Status logging = InitLogging(config->log_level);
  if (!logging.ok()) return Fail(logging);
  return Serve(*config);
}

}  // namespace
}  // namespace genzo

int main(int argc, char** argv) { return genzo::Main(argc, argv); }
