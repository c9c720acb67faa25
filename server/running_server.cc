#include "server/running_server.h"

#include <algorithm>
#include <filesystem>
#include <iostream>
#include <set>
#include <thread>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/clock.h"
#include "base/logging.h"
#include "base/version.h"
#include "grpcpp/grpcpp.h"
#include "queue/pool_view.h"
#include "server/config_files.h"
#include "server/config_reload.h"
#include "server/otlp_headers.h"
#include "worker/device/core_wait.h"

namespace genzo {
namespace {

// For webhooks and spans that wait once everything else has ended.
constexpr absl::Duration kLastPosts = absl::Seconds(1);
// How often the folder of models is looked into.
constexpr absl::Duration kModelsLook = absl::Seconds(5);

// "127.0.0.1:0" with the port that was taken.
std::string BoundAddress(const std::string& listen, int port) {
  return absl::StrCat(listen.substr(0, listen.rfind(':')), ":", port);
}

// Adds the default model to the configuration, if it lies in the folder, and
// returns the others that do.
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

std::unique_ptr<OtlpExporter> MakeTracer(const TracingConfig& config,
                                         Metrics& metrics) {
  if (config.endpoint.empty()) return nullptr;
  spdlog::info("spans go to {}", config.endpoint);
  return std::make_unique<OtlpExporter>(config, Version(), metrics,
                                        OtlpExporter::PostTo(config));
}

bool AnyResident(const ModelCatalog& catalog) {
  const auto models = catalog.List();
  return std::any_of(models.begin(), models.end(), [](const v1::Model& model) {
    return model.state() == v1::Model::STATE_RESIDENT;
  });
}

// Of a catalog without one that is loaded.
std::string WhyNone(const ModelCatalog& catalog) {
  std::vector<std::string> faults;
  for (const v1::Model& model : catalog.List()) {
    if (!model.has_error()) continue;
    faults.push_back(absl::StrCat(model.id(), ": ", model.error().message()));
  }
  return absl::StrCat("no model could be loaded", faults.empty() ? "" : "; ",
                      absl::StrJoin(faults, "; "));
}

void DropModel(std::vector<ModelConfig>& models, const std::string& id) {
  std::erase_if(models,
                [&](const ModelConfig& model) { return model.id == id; });
}

// In place of the one of that id, if there is one.
void PutModel(std::vector<ModelConfig>& models, const ModelConfig& model) {
  DropModel(models, model.id);
  models.push_back(model);
}

}  // namespace

// --- it comes ----------------------------------------------------------------

absl::StatusOr<std::unique_ptr<RunningServer>> RunningServer::Create(
    const Config& config) {
  const absl::Status headers = OtlpHeaders::Check(config.tracing.headers_file);
  if (!headers.ok()) return headers;
  ModelsFolder folder(config.models_folder, config.models);
  Config with_found = config;
  std::vector<ModelConfig> later = TakeFound(folder, with_found);
  for (const std::string& missing : MissingFiles(config)) {
    spdlog::warn("{}", missing);
  }
  std::unique_ptr<RunningServer> server(new RunningServer(
      config, with_found, std::move(folder), std::move(later)));
  absl::Status made = server->ServePages();
  if (made.ok()) made = server->MakePool();
  if (!made.ok()) return made;
  return server;
}

RunningServer::RunningServer(const Config& config, const Config& with_found,
                             ModelsFolder folder,
                             std::vector<ModelConfig> later)
    : config_(with_found),
      started_(config),
      folder_(std::move(folder)),
      later_(std::move(later)),
      tracer_(MakeTracer(config.tracing, metrics_)),
      catalog_(with_found.default_model),
      painting_(config.queue_capacity, Clock::Real(), metrics_, load_),
      upscaling_(config.queue_capacity, Clock::Real(), metrics_,
                 upscaling_load_, /*tells_age=*/false),
      queue_(painting_, upscaling_),
      readiness_([this](bool is) { TellServing(is); }) {
  metrics_.Add(process_metrics_);
  TellConfiguration(/*is_in_force=*/true);
  // Sent pictures are told under their upscaler's name.
  metrics_.TellModelsThat([this](const std::string& model) {
    return catalog_.Named(model).ok() || upscalers_.Get(model).ok();
  });
  metrics_.SetBuildInfo({{"version", Version()},
                         {"libtorch", WorkerPool::LibTorchVersion()},
                         {"cuda", WorkerPool::CudaVersion()},
                         {"grpc", grpc::Version()}});
}

absl::Status RunningServer::ServePages() {
  if (config_.admin.empty()) return absl::OkStatus();
  auto served = AdminPages::Serve(config_.admin, metrics_, readiness_);
  if (!served.ok()) return served.status();
  pages_ = *std::move(served);
  spdlog::info("metrics on http://{}/metrics",
               BoundAddress(config_.admin, pages_->port()));
  return absl::OkStatus();
}

absl::Status RunningServer::MakePool() {
  EngineDependencies parts = {queue_, load_, catalog_, metrics_, Clock::Real()};
  parts.tracer = tracer_.get();
  parts.core_wait = CoreWait;
  parts.upscaling = &upscaling_;
  parts.upscalers = &upscalers_;
  auto pool = WorkerPool::Create(config_, parts);
  if (!pool.ok()) return pool.status();
  pool_ = *std::move(pool);
  models_.emplace(*pool_, [this](const std::string& id) { ModelLoaded(id); });
  for (const ModelConfig& model : later_) {
    v1::Model known;
    known.set_id(model.id);
    known.set_state(v1::Model::STATE_LOADING);
    catalog_.Put(known);
  }
  return absl::OkStatus();
}

// --- it serves ---------------------------------------------------------------

absl::Status RunningServer::Listen() {
  const Clock& clock = Clock::Real();
  auto front_end = FrontEnd::Start(
      config_.listen, FrontEndOptionsOf(config_),
      {queue_, catalog_, metrics_, clock, *models_,
       [this] { return MakePoolView(load_, Clock::Real()); }, pool_.get(),
       tracer_.get(), &upscalers_, pool_->latents()});
  if (!front_end.ok()) return front_end.status();
  front_end_ = *std::move(front_end);
  spdlog::info("listening on {}, devices: {}",
               BoundAddress(config_.listen, front_end_->port()),
               pool_->Description());
  if (!config_.admin_listen.empty()) {
    spdlog::info("administrators on {}",
                 BoundAddress(config_.admin_listen, front_end_->admin_port()));
  }
  return OpenHttpDoor();
}

absl::Status RunningServer::OpenHttpDoor() {
  if (config_.http.listen.empty()) return absl::OkStatus();
  HttpConfig http = config_.http;
  http.max_connections = HttpConnectionsOf(http);
  auto door =
      HttpDoor::Start(http, front_end_->InProcessChannel(), Clock::Real(),
                      {.metrics = &metrics_, .tracer = tracer_.get()});
  if (!door.ok()) return door.status();
  http_door_ = *std::move(door);
  spdlog::info("{} on {}/", http_door_->has_page() ? "page and HTTP" : "HTTP",
               http_door_->url());
  return absl::OkStatus();
}

void RunningServer::Start(const std::function<void()>& done) {
  pool_->Start([this] { FirstModelsLoaded(); }, done,
               [this](int left) {
                 readiness_.DevicesOut(
                     left > 0 ? "" : absl::StrJoin(pool_->DeviceNames(), ", "));
               });
  if (!config_.models_folder.empty()) {
    models_watch_.emplace(
        folder_, kModelsLook,
        ModelsWatch::Listener{
            .appeared =
                [this](const ModelConfig& model) {
                  AddModel(model, /*pinned=*/std::nullopt);
                },
            .gone = [this](const std::string& id) { pool_->Remove(id); }});
  }
  stall_watch_.emplace(pool_->DeviceNames(), config_.stall_after,
                       &load_.speeds());
  stall_looks_ =
      std::make_unique<WorkThread>(/*tick=*/[this] { LookForStall(); });
}

void RunningServer::TellServing(bool is) {
  front_end_->SetServing(is);
  metrics_.SetReady(is);
  if (!is) return;
  std::cout << "genzo-server ready on "
            << BoundAddress(config_.listen, front_end_->port()) << std::endl;
}

void RunningServer::ModelLoaded(const std::string& id) {
  // A default model that was only the first of the folder, and cannot be
  // loaded, gives its place to the first that can.
  if (started_.default_model.empty()) {
    const auto model = catalog_.Get("");
    if (!model.ok() || model->state() == v1::Model::STATE_FAILED) {
      spdlog::info("model {} is the default one from now on", id);
      catalog_.SetDefault(id);
    }
  }
  readiness_.ModelLoaded();
}

void RunningServer::FirstModelsLoaded() {
  if (AnyResident(catalog_)) {
    readiness_.ModelLoaded();
  } else {
    const std::string why = WhyNone(catalog_);
    spdlog::error("not ready: {}; LoadModel tries again", why);
    readiness_.NoModel(why);
  }
  // Gone meanwhile, they are the watch's to tell.
  for (const ModelConfig& model : later_) {
    if (std::filesystem::exists(model.path)) {
      AddModel(model, /*pinned=*/std::nullopt);
    }
  }
}

void RunningServer::AddModel(const ModelConfig& model,
                             std::optional<bool> pinned) {
  pool_->Add(model);
  // Found in a folder: it is there when there is room, else when it is asked
  // for. But a server needs one to be ready.
  if (!pinned.has_value() && AnyResident(catalog_)) return;
  models_->Load(model.id, pinned,
                [](const absl::Status&) {});  // the catalog tells
}

void RunningServer::LookForStall() {
  const std::string why =
      stall_watch_->Look(catalog_, metrics_, load_.backlog(),
                         upscaling_load_.backlog(), Clock::Real().Now());
  if (!why.empty() && readiness_.WhyNot().empty()) {
    spdlog::error("not ready: {}", why);
  }
  readiness_.Stalled(why);
  const bool was_stalled = std::exchange(is_stalled_, !why.empty());
  if (was_stalled && readiness_.WhyNot().empty()) spdlog::info("ready again");
}

void RunningServer::Reload(const Config& wanted) {
  std::set<std::string> broken;
  for (const v1::Model& model : catalog_.List()) {
    if (model.has_error()) broken.insert(model.id());
  }
  const ReloadPlan plan = PlanReload(started_, wanted, broken);
  spdlog::set_level(spdlog::level::from_str(plan.log_level));
  front_end_->SetLimits(plan.limits);
  const auto stale = front_end_->Sweep();  // files of keys and certificates
  for (const std::string& id : plan.gone) {
    pool_->Remove(id);
    DropModel(started_.models, id);
  }
  for (const ModelConfig& model : plan.models) {
    AddModel(model, model.pinned);
    PutModel(started_.models, model);
  }
  TellConfiguration(/*is_in_force=*/true);
  spdlog::info(
      "the configuration is taken over: log_level, limits, {} models, {} gone",
      plan.models.size(), plan.gone.size());
  if (!stale.empty()) {
    spdlog::error("not taken over, because of no use: the files of {}",
                  absl::StrJoin(stale, ", "));
  }
  if (plan.not_applied.empty()) return;
  spdlog::warn("not taken over without a start: {}",
               absl::StrJoin(plan.not_applied, ", "));
}

// --- it goes -----------------------------------------------------------------

void RunningServer::Drain() {
  if (models_watch_.has_value()) models_watch_->Close();
  // Balancers first, so that they send nothing more that would be refused.
  readiness_.Draining();
  queue_.Close();
  pool_->Stop();
}

void RunningServer::Stop(absl::Duration last_writes) {
  if (models_watch_.has_value()) models_watch_->Close();
  stall_looks_.reset();
  // Side by side: neither door is to use up the other's time.
  std::thread http([this, last_writes] {
    if (http_door_ != nullptr) http_door_->Stop(last_writes);
  });
  front_end_->Shutdown(last_writes);
  http.join();
  const absl::Time last_posts = Clock::Real().Now() + kLastPosts;
  front_end_->EndPostsBy(last_posts);
  if (tracer_ != nullptr) tracer_->EndBy(last_posts);
  models_watch_.reset();  // last: its look may hang
}

}  // namespace genzo
