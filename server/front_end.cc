#include "server/front_end.h"

#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "base/proto_time.h"

namespace genzo {
namespace {

// What a request has besides its picture.
constexpr int kMaxBytesBesidesImage = 4 << 20;

// Of one connection: those that answer at once, and streams too many, which are
// to be refused and not to wait.
constexpr int kCallsBesideStreams = 100;

// For calls that are no streams, when the doors close.
constexpr absl::Duration kLastAnswers = absl::Milliseconds(250);

constexpr char kAdmin[] = "genzo.v1.ModelAdmin";

DoorOptions DoorOptionsOf(const FrontEndOptions& options,
                          const ServerCertificate* certificate) {
  return {.max_message_bytes =
              options.limits.max_image_bytes + kMaxBytesBesidesImage,
          .max_calls = options.delivery.max_streams + kCallsBesideStreams,
          .reader_timeout = options.delivery.reader_timeout,
          .other_connections = options.http_connections,
          .certificate = certificate,
          .reflection = options.reflection};
}

// Of the door of ModelAdmin alone, where administrators find their way.
DoorOptions AdminDoorOptionsOf(const FrontEndOptions& options,
                               const ServerCertificate* certificate) {
  DoorOptions door = DoorOptionsOf(options, certificate);
  door.reflection = true;
  door.channelz = options.channelz;
  return door;
}

std::unique_ptr<Authenticator> MakeAuthenticator(const FrontEndOptions& options,
                                                 const Credentials* keys,
                                                 const Credentials* tokens) {
  if (keys == nullptr && tokens == nullptr) {
    return MakeTrustingAuthenticator(options.admin_api);
  }
  return MakeCredentialsAuthenticator(keys, tokens);
}

// Whom the job names, if it names somebody.
void TellOfEnd(Webhooks* webhooks, const internal::v1::KeptJob& job) {
  if (webhooks == nullptr || job.webhook().empty()) return;
  webhooks->Send(job.webhook(), job.job(), job.traceparent());
}

// Of a job that waits, runs or has ended.
void Tell(Quotas& quotas, Webhooks* webhooks,
          const internal::v1::KeptJob& job) {
  const std::string& id = job.job().id();
  if (job.job().has_end_time()) TellOfEnd(webhooks, job);
  switch (job.job().state()) {
    case v1::JOB_STATE_QUEUED:
      return quotas.Waits(id);
    case v1::JOB_STATE_RUNNING:
      return quotas.Runs(id);
    default:
      return quotas.Ended(id, ShareLeft(job.job()));
  }
}

// That `folder` is one in which files can be written, or can be made; of an
// empty name nothing is said.
absl::Status CheckFolder(const char* setting, const std::string& folder) {
  if (folder.empty()) return absl::OkStatus();
  std::error_code error;
  std::filesystem::path place = std::filesystem::absolute(folder, error);
  while (!std::filesystem::exists(place, error) && place.has_relative_path()) {
    place = place.parent_path();
  }
  if (std::filesystem::is_directory(place, error) &&
      access(place.c_str(), W_OK | X_OK) == 0) {
    return absl::OkStatus();
  }
  return absl::FailedPreconditionError(
      absl::StrCat(setting, " ", folder, " cannot be written"));
}

// The span of a job that has ended.
void RecordJob(Tracer* tracer, const internal::v1::KeptJob& kept) {
  const auto context = ParseTraceparent(kept.traceparent());
  if (tracer == nullptr || !context.has_value()) return;
  const v1::Job& job = kept.job();
  const v1::GenerateRequest& request = job.resolved();
  tracer->Record(
      {.name = kJobSpan,
       .context = *context,
       .parent = kept.parent_span(),
       .begin = FromProto(job.create_time()),
       .end = FromProto(job.end_time()),
       .attributes = {{"genzo.job", job.id()},
                      {"genzo.tenant", kept.tenant()},
                      {"gen_ai.request.model", request.model()},
                      {"genzo.state", v1::JobState_Name(job.state())},
                      {"genzo.images", int64_t{request.image_count()}},
                      {"genzo.width", int64_t{request.width()}},
                      {"genzo.height", int64_t{request.height()}},
                      {"genzo.steps", int64_t{request.steps()}},
                      {"genzo.cost_units", job.cost()}},
       .error = job.has_status() ? job.status().message() : ""});
}

absl::Status CheckOwnFolders(const FrontEndOptions& options) {
  const std::string& cache = options.result_cache.folder;
  const std::string& results = options.jobs.results_folder;
  if (cache.empty() || results.empty()) return absl::OkStatus();
  const auto canonical = [](const std::string& folder) {
    std::error_code unreadable;  // who opens it says so
    const auto path = std::filesystem::weakly_canonical(folder, unreadable);
    return unreadable ? std::filesystem::path(folder) : path;
  };
  if (canonical(cache) != canonical(results)) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat("result_cache.folder ", cache,
                   " is jobs.results_folder: give each its own"));
}

// Who may come in; null where the options name no file.
struct Keys {
  std::unique_ptr<KeyStore> keys;
  std::unique_ptr<TokenChecker> tokens;
};

absl::StatusOr<Keys> OpenKeys(const AuthConfig& auth, const Clock& clock) {
  Keys opened;
  if (!auth.keys_file.empty()) {
    auto keys = KeyStore::Open(auth.keys_file, clock);
    if (!keys.ok()) return keys.status();
    opened.keys = *std::move(keys);
  }
  if (!auth.jwks_file.empty()) {
    auto tokens = TokenChecker::Open(auth, clock);
    if (!tokens.ok()) return tokens.status();
    opened.tokens = *std::move(tokens);
  }
  return opened;
}

// Null without TLS.
absl::StatusOr<std::unique_ptr<ServerCertificate>> OpenCertificate(
    const TlsConfig& tls) {
  if (tls.cert_file.empty()) return nullptr;
  return ServerCertificate::Open(tls);
}

}  // namespace

int HttpConnectionsOf(const HttpConfig& http) {
  return http.listen.empty()
             ? 0
             : HttpConnectionCap(http.max_connections, RaiseDescriptorLimit());
}

FrontEndOptions FrontEndOptionsOf(const Config& config) {
  const std::string& admin_address =
      config.admin_listen.empty() ? config.listen : config.admin_listen;
  return {.limits = config.limits,
          .delivery = config.delivery,
          // Behind a proxy or a mesh every caller comes from this machine.
          .admin_api = config.admin_api == "loopback" &&
                               !IsLoopbackAddress(admin_address)
                           ? "off"
                           : config.admin_api,
          .jobs = config.jobs,
          .auth = config.auth,
          .tls = config.tls,
          .webhooks = config.webhooks,
          .result_cache = config.result_cache,
          .admin_listen = config.admin_listen,
          .reflection = config.reflection,
          .channelz = config.channelz,
          .http_connections = HttpConnectionsOf(config.http),
          .log_prompts = config.log_prompts};
}

absl::StatusOr<FrontEnd::Parts> FrontEnd::MakeParts(
    const FrontEndOptions& options, const FrontEndDependencies& dependencies) {
  const absl::Status apart = CheckOwnFolders(options);
  if (!apart.ok()) return apart;
  auto keys = OpenKeys(options.auth, dependencies.clock);
  if (!keys.ok()) return keys.status();
  auto certificate = OpenCertificate(options.tls);
  if (!certificate.ok()) return certificate.status();
  Parts parts;
  parts.keys = std::move(keys->keys);
  parts.tokens = std::move(keys->tokens);
  parts.certificate = *std::move(certificate);
  if (!options.webhooks.hosts.empty()) {
    WebhookHooks hooks = {.metrics = &dependencies.metrics};
    if (!options.jobs.results_folder.empty()) {
      hooks.settled =
          [folder = options.jobs.results_folder](const std::string& job_id) {
            ResultStore::NoteToldIn(folder, job_id);
          };
    }
    auto webhooks =
        Webhooks::Open(options.webhooks, dependencies.clock, PostHttps,
                       Webhooks::kThreads, std::move(hooks));
    if (!webhooks.ok()) return webhooks.status();
    parts.webhooks = *std::move(webhooks);
  }
  parts.quotas = std::make_unique<Quotas>(dependencies.clock);
  auto archive = JobArchive::Open(
      {options.delivery, options.jobs},
      /*cancel=*/
      [&queue = dependencies.queue](const std::string& id) {
        queue.Cancel(id);
      },
      /*moved=*/
      [&quotas = *parts.quotas, webhooks = parts.webhooks.get(),
       tracer = dependencies.tracer](const internal::v1::KeptJob& job) {
        Tell(quotas, webhooks, job);
        if (job.job().has_end_time()) RecordJob(tracer, job);
      },
      dependencies.clock, dependencies.metrics);
  if (!archive.ok()) return archive.status();
  parts.archive = *std::move(archive);
  for (const internal::v1::KeptJob& job : parts.archive->TakeUntold()) {
    TellOfEnd(parts.webhooks.get(), job);
  }
  if (options.result_cache.bytes > 0) {
    auto results =
        ResultCache::Open(options.result_cache, dependencies.metrics);
    if (!results.ok()) return results.status();
    parts.results = *std::move(results);
  }
  return parts;
}

absl::Status FrontEnd::Check(const FrontEndOptions& options,
                             const Clock& clock) {
  const absl::Status keys = OpenKeys(options.auth, clock).status();
  if (!keys.ok()) return keys;
  const absl::Status webhooks =
      options.webhooks.hosts.empty()
          ? absl::OkStatus()
          : Webhooks::Open(options.webhooks, clock, PostHttps, /*threads=*/0)
                .status();
  if (!webhooks.ok()) return webhooks;
  absl::Status status = OpenCertificate(options.tls).status();
  status.Update(CheckOwnFolders(options));
  status.Update(
      CheckFolder("jobs.results_folder", options.jobs.results_folder));
  status.Update(
      CheckFolder("result_cache.folder", options.result_cache.folder));
  return status;
}

FrontEnd::FrontEnd(const FrontEndOptions& options,
                   const FrontEndDependencies& dependencies, Parts parts)
    : parts_(std::move(parts)),
      queue_(dependencies.queue),
      authenticator_(
          MakeAuthenticator(options, parts_.keys.get(), parts_.tokens.get())),
      intake_(options.limits,
              {dependencies.queue, dependencies.catalog, dependencies.metrics,
               dependencies.clock, *parts_.quotas, dependencies.pool_view,
               parts_.results.get(), dependencies.tracer, options.log_prompts,
               &drained_, dependencies.upscalers, dependencies.latents},
              *parts_.archive),
      streams_{dependencies.metrics, pump_, dependencies.clock,
               dependencies.tracer},
      image_generation_(*authenticator_, intake_, streams_),
      jobs_(*authenticator_, *parts_.archive, intake_, dependencies.queue,
            options.webhooks, streams_),
      upscaling_(*authenticator_, intake_, streams_),
      model_registry_(dependencies.catalog, *authenticator_,
                      dependencies.metrics, drained_, intake_),
      lora_registry_(dependencies.catalog, *authenticator_,
                     dependencies.metrics),
      model_admin_(dependencies.catalog, dependencies.models, *authenticator_,
                   dependencies.metrics, drained_),
      picture_scoring_({intake_, dependencies.catalog, dependencies.scoring,
                        *authenticator_, dependencies.metrics}),
      chores_(/*tick=*/[this] { Sweep(); }) {}

absl::StatusOr<std::unique_ptr<FrontEnd>> FrontEnd::Start(
    const std::string& address, const FrontEndOptions& options,
    const FrontEndDependencies& dependencies) {
  auto parts = MakeParts(options, dependencies);
  if (!parts.ok()) return parts.status();
  std::unique_ptr<FrontEnd> front_end(
      new FrontEnd(options, dependencies, *std::move(parts)));
  std::vector<grpc::Service*> services = {
      &front_end->image_generation_, &front_end->jobs_,
      &front_end->upscaling_,        &front_end->model_registry_,
      &front_end->lora_registry_,    &front_end->picture_scoring_};
  const auto* certificate = front_end->parts_.certificate.get();
  if (options.admin_listen.empty()) {
    services.push_back(&front_end->model_admin_);
  } else {
    auto door = Door::Create(options.admin_listen,
                             AdminDoorOptionsOf(options, certificate),
                             {&front_end->model_admin_});
    if (!door.ok()) return door.status();
    front_end->admin_door_ = *std::move(door);
  }
  auto door =
      Door::Create(address, DoorOptionsOf(options, certificate), services);
  if (!door.ok()) return door.status();
  front_end->door_ = *std::move(door);
  front_end->SetServing(false);
  {  // figures are there from the start
    absl::MutexLock lock(&front_end->sweeping_);
    front_end->ReadFilesAgain();
  }
  front_end->intake_.Resume();
  front_end->door_->Open();
  if (front_end->admin_door_ != nullptr) front_end->admin_door_->Open();
  return front_end;
}

FrontEnd::~FrontEnd() { Shutdown(absl::ZeroDuration()); }

void FrontEnd::SetServing(bool serving) {
  std::vector<std::string> names = {
      "genzo.v1.ImageGeneration", "genzo.v1.Jobs",
      "genzo.v1.ModelRegistry",   "genzo.v1.LoraRegistry",
      "genzo.v1.PictureScoring",  "genzo.v1.Upscaling"};
  // Who mends a server must reach it while it does not serve.
  if (admin_door_ != nullptr) admin_door_->SetServing(true, {kAdmin});
  if (admin_door_ == nullptr) names.emplace_back(kAdmin);
  door_->SetServing(serving, names);
}

void FrontEnd::Shutdown(absl::Duration timeout) {
  const bool has_readers = streams_.metrics.streams().Value() > 0;
  const absl::Time deadline =
      absl::Now() + (has_readers ? timeout : std::min(timeout, kLastAnswers));
  for (const auto* door : {&door_, &admin_door_}) {
    if (*door != nullptr) (*door)->Shutdown(deadline);
  }
}

std::vector<std::string> FrontEnd::Sweep() {
  absl::MutexLock lock(&sweeping_);
  queue_.Expire();
  parts_.archive->Sweep();
  return ReadFilesAgain();
}

std::vector<std::string> FrontEnd::ReadFilesAgain() {
  std::vector<std::string> stale;
  const auto look = [&](const char* file, const auto& part) {
    if (part == nullptr) return;
    part->Refresh();
    streams_.metrics.SetFileInForce(file, part->in_force());
    if (!part->in_force()) stale.emplace_back(file);
  };
  look("keys", parts_.keys);
  look("jwks", parts_.tokens);
  look("certificate", parts_.certificate);
  if (parts_.certificate != nullptr) {
    streams_.metrics.SetCertificateExpiry("certificate",
                                          parts_.certificate->expiry());
  }
  return stale;
}

}  // namespace genzo
