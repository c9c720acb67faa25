// genzo-server: the front end with an in-process worker.

#include <pthread.h>
#include <signal.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstdlib>
#include <functional>
#include <iostream>
#include <optional>
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
#include "server/models_watch.h"
#include "server/readiness.h"
#include "worker/engine/worker_pool.h"

namespace genzo {
namespace {

constexpr int kUsageError = 2;  // bad configuration, address in use
constexpr int kHung = 3;        // a device or a file that never answers
constexpr char kDefaultConfig[] = "/etc/genzo/genzo.yaml";
// How often the folder of models is looked into.
constexpr absl::Duration kModelsLook = absl::Seconds(5);
// For streams to deliver their last events once all jobs have ended.
constexpr absl::Duration kLastWrites = absl::Seconds(5);
// For cancelled jobs to end, and again for everything behind that. What takes
// longer hangs and would for ever.
constexpr absl::Duration kLastResort = absl::Seconds(10);

struct Options {
  std::string config_path = kDefaultConfig;
  std::string listen;
  std::string admin;
  std::string log_level;
};

// Signals that end the server (a terminal that hangs up is one), and the one by
// which the engine's thread says that it is done. Blocked everywhere; waited
// for by the main thread. Others that would end the process without draining
// are ignored.
sigset_t BlockSignals() {
  for (int ignored : {SIGUSR2, SIGALRM, SIGPIPE}) signal(ignored, SIG_IGN);
  sigset_t signals;
  sigemptyset(&signals);
  for (int waited : {SIGINT, SIGTERM, SIGHUP, SIGUSR1}) {
    sigaddset(&signals, waited);
  }
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

// Ends the process where it stands: a thread that hangs cannot be ended.
[[noreturn]] void EndHung() {
  spdlog::critical("something hangs: ending without it");
  spdlog::shutdown();
  std::_Exit(kHung);
}

// From now on the process ends within `time`, whatever hangs.
void EndWithin(absl::Duration time) {
  std::thread([time] {
    absl::SleepFor(time);
    EndHung();
  }).detach();
}

// Lets live jobs finish for the grace period; a second signal or its end
// cancels them. What does not end then ends the process, after kLastResort or
// with a third signal.
void Drain(const Config& config, const Waiter& waiter, WorkerPool& pool,
           Readiness& readiness, JobQueue& queue) {
  spdlog::info("shutting down: finishing live jobs, {:.0f} s at most",
               absl::ToDoubleSeconds(config.shutdown_grace));
  pool.Stop();
  readiness.Draining();
  queue.Close();
  if (waiter.WaitForSignal(Clock::Real().Now() + config.shutdown_grace)) return;
  spdlog::warn("cancelling live jobs");
  queue.CancelAll();
  if (!waiter.WaitForSignal(Clock::Real().Now() + kLastResort)) EndHung();
}

// The pool, with an ear for what was loaded.
class ReadyOnLoad : public ModelControl {
 public:
  ReadyOnLoad(ModelControl& pool, Readiness& readiness)
      : pool_(pool), readiness_(readiness) {}

  void Load(const std::string& id, std::optional<bool> pinned,
            Done done) override {
    pool_.Load(id, pinned, [this, done](const absl::Status& status) {
      if (status.ok()) readiness_.ModelLoaded();
      done(status);
    });
  }
  void Unload(const std::string& id, Done done) override {
    pool_.Unload(id, std::move(done));
  }

 private:
  ModelControl& pool_;
  Readiness& readiness_;
};

bool AnyResident(const ModelCatalog& catalog) {
  const auto models = catalog.List();
  return std::any_of(models.begin(), models.end(), [](const v1::Model& model) {
    return model.state() == v1::Model::STATE_RESIDENT;
  });
}

// `folder` holds the models that are found while the server runs.
int Serve(const Config& config, const ModelsFolder& folder) {
  const sigset_t signals = BlockSignals();
  const Clock& clock = Clock::Real();
  Metrics metrics;
  ModelCatalog catalog(config.default_model);
  PoolLoad load;
  MemoryJobQueue queue(config.queue_capacity, clock, metrics, load);
  if (!config.admin.empty()) {
    const auto port = metrics.Serve(config.admin);
    if (!port.ok()) return Fail(port.status());
    spdlog::info("metrics on http://{}/metrics",
                 BoundAddress(config.admin, *port));
  }
  auto pool =
      WorkerPool::Create(config, {queue, load, catalog, metrics, clock});
  if (!pool.ok()) return Fail(pool.status());
  FrontEnd* serving = nullptr;
  Readiness readiness([&](bool is) {
    serving->SetServing(is);
    if (!is) return;
    std::cout << "genzo-server ready on "
              << BoundAddress(config.listen, serving->port()) << std::endl;
  });
  ReadyOnLoad models(**pool, readiness);
  auto front_end = FrontEnd::Start(
      config.listen, {config.limits, config.delivery, config.admin_api},
      {queue, catalog, metrics, clock, models});
  if (!front_end.ok()) return Fail(front_end.status());
  serving = front_end->get();
  spdlog::info("listening on {}, devices: {}",
               BoundAddress(config.listen, serving->port()),
               (*pool)->Description());

  Waiter waiter(signals);
  const auto on_loaded = [&] {
    if (AnyResident(catalog)) return readiness.ModelLoaded();
    spdlog::error("not ready: no model could be loaded; LoadModel tries again");
  };
  (*pool)->Start(
      on_loaded, [&waiter] { waiter.Done(); },
      [&readiness](int devices) { readiness.DevicesLeft(devices); });
  std::optional<ModelsWatch> watch;
  if (!config.models_folder.empty()) {
    watch.emplace(folder, kModelsLook, [&](const ModelConfig& model) {
      (*pool)->Add(model);
      models.Load(model.id, /*pinned=*/std::nullopt,
                  [](const absl::Status&) {});  // the catalog tells
    });
  }
  const bool done = waiter.WaitForSignal(absl::InfiniteFuture());
  watch.reset();
  if (!done) {
    Drain(config, waiter, **pool, readiness, queue);
  }
  EndWithin(kLastWrites + kLastResort);
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
      "Exit status: 0 after SIGINT, SIGTERM or SIGHUP, which let live jobs "
      "finish (a second one cancels them, a third ends at once), 2 for a bad "
      "configuration or an address in use, 3 if something hung at the end.");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : kUsageError;
  }
  auto config = ReadConfig(options);
  if (!config.ok()) return Fail(config.status());
  const absl::Status logging = InitLogging(config->log_level);
  if (!logging.ok()) return Fail(logging);
  ModelsFolder folder(config->models_folder, config->models);
  if (!config->models_folder.empty()) {
    for (ModelConfig& model : folder.Scan()) {
      config->models.push_back(std::move(model));
    }
    if (config->default_model.empty() && !config->models.empty()) {
      config->default_model = config->models[0].id;
    }
  }
  return Serve(*config, folder);
}

}  // namespace
}  // namespace genzo

int main(int argc, char** argv) { return genzo::Main(argc, argv); }
