// genzo-server: the front end with an in-process worker.

#include <signal.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <iostream>
#include <memory>
#include <optional>
#include <thread>

#include "CLI/CLI.hpp"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/clock.h"
#include "base/config.h"
#include "base/logging.h"
#include "base/metrics.h"
#include "base/model_catalog.h"
#include "base/process_metrics.h"
#include "base/standard_output.h"
#include "base/upscaler_catalog.h"
#include "base/version.h"
#include "gateway/door.h"
#include "grpcpp/grpcpp.h"
#include "queue/memory_job_queue.h"
#include "queue/pool_view.h"
#include "queue/split_job_queue.h"
#include "server/admin_pages.h"
#include "server/config_files.h"
#include "server/config_reload.h"
#include "server/event_pump.h"
#include "server/front_end.h"
#include "server/models_watch.h"
#include "server/otlp_exporter.h"
#include "server/readiness.h"
#include "server/result_store.h"
#include "server/signal_waiter.h"
#include "server/stall_watch.h"
#include "worker/device/address_space.h"
#include "worker/device/core_wait.h"
#include "worker/engine/worker_pool.h"

namespace genzo {
namespace {

constexpr int kUsageError = 2;   // bad configuration, address in use
constexpr int kHung = 3;         // a device or a file that never answers
constexpr int kEndedAtOnce = 4;  // a second signal
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
  std::string http;
  std::string log_level;
  std::string log_format;
  bool insecure = false;
  bool check = false;
};

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

// Ends the process where it stands: a thread that hangs cannot be ended.
[[noreturn]] void EndNow(const char* why, int exit_status) {
  spdlog::critical("{}", why);
  spdlog::shutdown();
  std::_Exit(exit_status);
}

[[noreturn]] void EndHung() {
  EndNow("something hangs: ending without it", kHung);
}

// As a second signal asks for.
[[noreturn]] void EndAtOnce(const std::string& results_folder) {
  ResultStore::NoteCleanEnd(results_folder);
  EndNow("a second signal: ending at once", kEndedAtOnce);
}

// From now on the process ends within `time`, whatever hangs, and at once at
// another of the signals, which are blocked.
void EndWithin(absl::Duration time, const sigset_t& signals,
               const std::string& results_folder) {
  std::thread([until = Clock::Real().Now() + time, signals, results_folder] {
    while (true) {
      const timespec left = absl::ToTimespec(
          std::max(absl::ZeroDuration(), until - Clock::Real().Now()));
      const int signal = sigtimedwait(&signals, nullptr, &left);
      if (signal == SIGTERM || signal == SIGINT) EndAtOnce(results_folder);
      if (signal < 0 && errno == EAGAIN) EndHung();
    }
  }).detach();
}

// Waits for the pool's end. A signal to end ends the process at once.
bool WaitForPool(const SignalWaiter& waiter, absl::Duration time,
                 const Config& config) {
  const absl::Time until = Clock::Real().Now() + time;
  while (true) {
    switch (waiter.Wait(until)) {
      case SignalWaiter::Event::kDone:
        return true;
      case SignalWaiter::Event::kTime:
        return false;
      case SignalWaiter::Event::kEnd:
        EndAtOnce(config.jobs.results_folder);
      case SignalWaiter::Event::kReload:
        break;  // too late
    }
  }
}

// Lets live jobs finish for the grace period, then cancels them. What does not
// end then ends the process after kLastResort.
void Drain(const Config& config, const SignalWaiter& waiter, WorkerPool& pool,
           Readiness& readiness, JobQueue& queue) {
  spdlog::info("shutting down: finishing live jobs, {:.0f} s at most",
               absl::ToDoubleSeconds(config.shutdown_grace));
  // Balancers first, so that they send nothing more that would be refused.
  readiness.Draining();
  queue.Close();
  pool.Stop();
  if (WaitForPool(waiter, config.shutdown_grace, config)) return;
  spdlog::warn("cancelling live jobs");
  queue.CancelAll();
  if (!WaitForPool(waiter, kLastResort, config)) EndHung();
}

// One more model, or other files of one, for jobs to ask for. `pinned` as in
// ModelControl.
void AddModel(WorkerPool& pool, ModelControl& models, const ModelConfig& model,
              std::optional<bool> pinned) {
  pool.Add(model);
  models.Load(model.id, pinned,
              [](const absl::Status&) {});  // the catalog tells
}

// Takes over what is safe of a changed configuration, and says what is not.
// `started` gets the models that were taken over.
void Reload(const Options& options, FrontEnd& front_end, WorkerPool& pool,
            ModelControl& models, Config& started) {
  const auto wanted = ReadConfig(options);
  if (!wanted.ok()) {
    spdlog::error("the configuration is not taken over: {}",
                  std::string(wanted.status().message()));
    return;
  }
  const ReloadPlan plan = PlanReload(started, *wanted);
  spdlog::set_level(spdlog::level::from_str(plan.log_level));
  front_end.SetLimits(plan.limits);
  front_end.Sweep();  // files of keys
  for (const ModelConfig& model : plan.models) {
    AddModel(pool, models, model, model.pinned);
    auto& had = started.models;
    had.erase(std::remove_if(had.begin(), had.end(),
                             [&](const ModelConfig& other) {
                               return other.id == model.id;
                             }),
              had.end());
    had.push_back(model);
  }
  spdlog::info(
      "the configuration is taken over: log_level, limits, keys, {} models",
      plan.models.size());
  if (plan.not_applied.empty()) return;
  spdlog::warn("not taken over without a start: {}",
               absl::StrJoin(plan.not_applied, ", "));
}

// Says to `readiness` every second whether jobs get on.
void LookForStall(PoolStallWatch& watch, const ModelCatalog& catalog,
                  Metrics& metrics, Readiness& readiness) {
  const std::string why = watch.Look(catalog, metrics, Clock::Real().Now());
  if (!why.empty() && readiness.WhyNot().empty()) {
    spdlog::error("not ready: {}", why);
  }
  readiness.Stalled(why);
}

// The pool, with an ear for what was loaded.
class HeardPool : public ModelControl {
 public:
  using Loaded = std::function<void(const std::string& id)>;
  HeardPool(ModelControl& pool, Loaded loaded)
      : pool_(pool), loaded_(std::move(loaded)) {}

  void Load(const std::string& id, std::optional<bool> pinned,
            Done done) override {
    pool_.Load(id, pinned, [this, id, done](const absl::Status& status) {
      if (status.ok()) loaded_(id);
      done(status);
    });
  }
  void Unload(const std::string& id, Done done) override {
    pool_.Unload(id, std::move(done));
  }

 private:
  ModelControl& pool_;
  const Loaded loaded_;
};

bool AnyResident(const ModelCatalog& catalog) {
  const auto models = catalog.List();
  return std::any_of(models.begin(), models.end(), [](const v1::Model& model) {
    return model.state() == v1::Model::STATE_RESIDENT;
  });
}

// The default model was only the first of the folder, and cannot be loaded:
// the first that can takes its place.
void ReplaceFailedDefault(ModelCatalog& catalog, const std::string& loaded) {
  const auto model = catalog.Get("");
  if (model.ok() && model->state() != v1::Model::STATE_FAILED) return;
  spdlog::info("model {} is the default one from now on", loaded);
  catalog.SetDefault(loaded);
}

// Adds the default model to the configuration, if it lies in the folder, and
// returns the others that do: nobody waits for them.
std::vector<ModelConfig> TakeFound(ModelsFolder& folder, Config& config) {
  if (config.models_folder.empty()) return {};
  std::vector<ModelConfig> later;
  for (ModelConfig& model : folder.Look().fresh) {
    if (config.default_model.empty()) config.default_model = model.id;
    auto& list = model.id == config.default_model ? config.models : later;
    list.push_back(std::move(model));
  }
  return later;
}

// Null if spans are sent nowhere.
std::unique_ptr<Tracer> MakeTracer(const TracingConfig& config,
                                   Metrics& metrics) {
  if (config.endpoint.empty()) return nullptr;
  spdlog::info("spans go to {}", config.endpoint);
  return std::make_unique<OtlpExporter>(config, Version(), metrics,
                                        OtlpExporter::PostTo(config));
}

// The HTTP door; null if none is configured.
absl::StatusOr<std::unique_ptr<HttpDoor>> OpenHttpDoor(const HttpConfig& config,
                                                       FrontEnd& front_end,
                                                       const Clock& clock,
                                                       HttpWatch watch) {
  if (config.listen.empty()) return nullptr;
  auto door =
      HttpDoor::Start(config, front_end.InProcessChannel(), clock, watch);
  if (door.ok()) {
    spdlog::info("{} on {}/", (*door)->has_page() ? "page and HTTP" : "HTTP",
                 (*door)->url());
  }
  return door;
}

int Serve(const Options& options, const Config& config) {
  ModelsFolder folder(config.models_folder, config.models);
  Config with_found = config;
  const std::vector<ModelConfig> found = TakeFound(folder, with_found);
  for (const std::string& missing : MissingFiles(config)) {
    spdlog::warn("{}", missing);
  }
  const sigset_t signals = BlockSignals();
  const Clock& clock = Clock::Real();
  Metrics metrics;
  const auto process_metrics = std::make_shared<ProcessMetrics>();
  metrics.Add(process_metrics);
  metrics.SetBuildInfo({{"version", Version()},
                        {"libtorch", WorkerPool::LibTorchVersion()},
                        {"grpc", grpc::Version()}});
  const auto tracer = MakeTracer(config.tracing, metrics);
  ModelCatalog catalog(with_found.default_model);
  PoolLoad load;
  MemoryJobQueue painting(config.queue_capacity, clock, metrics, load);
  PoolLoad upscaling_load;
  MemoryJobQueue upscaling(config.queue_capacity, clock, metrics,
                           upscaling_load, /*tells_age=*/false);
  SplitJobQueue queue(painting, upscaling);
  UpscalerCatalog upscalers;
  FrontEnd* serving = nullptr;
  Readiness readiness([&](bool is) {
    serving->SetServing(is);
    metrics.SetReady(is);
    if (!is) return;
    std::cout << "genzo-server ready on "
              << BoundAddress(config.listen, serving->port()) << std::endl;
  });
  std::unique_ptr<AdminPages> pages;
  if (!config.admin.empty()) {
    auto served = AdminPages::Serve(config.admin, metrics, readiness);
    if (!served.ok()) return Fail(served.status());
    pages = *std::move(served);
    spdlog::info("metrics on http://{}/metrics",
                 BoundAddress(config.admin, pages->port()));
  }
  EngineDependencies pool_parts = {queue, load, catalog, metrics, clock};
  pool_parts.tracer = tracer.get();
  pool_parts.core_wait = CoreWait;
  pool_parts.upscaling = &upscaling;
  pool_parts.upscalers = &upscalers;
  auto pool = WorkerPool::Create(with_found, pool_parts);
  if (!pool.ok()) return Fail(pool.status());
  HeardPool models(**pool, [&](const std::string& id) {
    if (config.default_model.empty()) ReplaceFailedDefault(catalog, id);
    readiness.ModelLoaded();
  });
  for (const ModelConfig& model : found) {
    v1::Model known;
    known.set_id(model.id);
    known.set_state(v1::Model::STATE_LOADING);
    catalog.Put(known);
  }
  auto front_end = FrontEnd::Start(config.listen, FrontEndOptionsOf(config),
                                   {queue, catalog, metrics, clock, models,
                                    [&] { return MakePoolView(load, clock); },
                                    pool->get(), tracer.get(), &upscalers});
  if (!front_end.ok()) return Fail(front_end.status());
  serving = front_end->get();
  spdlog::info("listening on {}, devices: {}",
               BoundAddress(config.listen, serving->port()),
               (*pool)->Description());
  if (!config.admin_listen.empty()) {
    spdlog::info("administrators on {}",
                 BoundAddress(config.admin_listen, serving->admin_port()));
  }

  const auto door = OpenHttpDoor(config.http, *serving, clock,
                                 {.metrics = &metrics, .tracer = tracer.get()});
  if (!door.ok()) return Fail(door.status());
  SignalWaiter waiter(signals);
  const auto appear = [&](const ModelConfig& model) {
    AddModel(**pool, models, model, /*pinned=*/std::nullopt);
  };
  const auto on_loaded = [&] {
    if (AnyResident(catalog)) {
      readiness.ModelLoaded();
    } else {
      spdlog::error(
          "not ready: no configured model could be loaded; LoadModel tries "
          "again");
    }
    // Gone meanwhile, they are the watch's to tell.
    for (const ModelConfig& model : found) {
      if (std::filesystem::exists(model.path)) appear(model);
    }
  };
  (*pool)->Start(
      on_loaded, [&waiter] { waiter.Done(); },
      [&readiness](int devices) { readiness.DevicesLeft(devices); });
  std::optional<ModelsWatch> models_watch;
  if (!config.models_folder.empty()) {
    models_watch.emplace(
        folder, kModelsLook,
        ModelsWatch::Listener{
            .appeared = appear,
            .gone = [&](const std::string& id) { (*pool)->Remove(id); }});
  }
  PoolStallWatch stall((*pool)->DeviceNames(), config.stall_after);
  auto watch = std::make_unique<EventPump>(
      /*tick=*/[&] { LookForStall(stall, catalog, metrics, readiness); });
  SignalWaiter::Event event;
  Config started = config;
  while ((event = waiter.Wait(absl::InfiniteFuture())) ==
         SignalWaiter::Event::kReload) {
    Reload(options, *serving, **pool, models, started);
  }
  models_watch.reset();
  if (event != SignalWaiter::Event::kDone) {
    Drain(config, waiter, **pool, readiness, queue);
  }
  EndWithin(kLastWrites + kLastResort, signals, config.jobs.results_folder);
  watch.reset();
  if (*door != nullptr) (*door)->Stop(kLastWrites);
  serving->Shutdown(kLastWrites);
  spdlog::info("stopped");
  return 0;
}

// Whether the server could start with `config`, as far as files tell.
int Check(const Config& config) {
  absl::Status status =
      FrontEnd::Check(FrontEndOptionsOf(config), Clock::Real());
  status.Update(HttpDoor::Check(config.http));
  if (!status.ok()) return Fail(status);
  const auto missing = MissingFiles(config);
  if (!missing.empty()) {
    return Fail(absl::NotFoundError(absl::StrJoin(missing, "; ")));
  }
  for (const std::string& folder : MissingFolders(config)) {
    std::cout << folder << ", and is looked for now and then\n";
  }
  std::cout << "the configuration is good" << std::endl;
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
  app.footer(
      "Exit status: 0 after SIGINT or SIGTERM, which let live jobs finish; 4 "
      "after a second one, which ends at once; 2 for a bad configuration or an "
      "address in use; 3 if something hung at the end. SIGHUP reads the "
      "configuration again.");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : kUsageError;
  }
  const auto config = ReadConfig(options);
  if (!config.ok()) return Fail(config.status());
  const absl::Status logging =
      InitLogging(config->log_level, config->log_format);
  if (!logging.ok()) return Fail(logging);
  return options.check ? Check(*config) : Serve(options, *config);
}

}  // namespace
}  // namespace genzo

int main(int argc, char** argv) {
  genzo::RestartIfAddressSpaceIsLimited(argv);
  const int status = genzo::EndOutput("genzo-server", genzo::Main(argc, argv));
  spdlog::shutdown();
  // Not exit(): what is left are LibTorch's static objects, whose end takes
  // seconds where the processor is busy and would be taken for a hang.
  std::_Exit(status);
}
