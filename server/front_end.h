#ifndef GENZO_SERVER_FRONT_END_H_
#define GENZO_SERVER_FRONT_END_H_

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "base/config.h"
#include "base/work_thread.h"
#include "genzo/internal/v1/pool_view.pb.h"
#include "queue/model_control.h"
#include "queue/picture_scoring.h"
#include "server/access/key_store.h"
#include "server/access/quotas.h"
#include "server/access/token_checker.h"
#include "server/jobs/job_archive.h"
#include "server/jobs/job_intake.h"
#include "server/jobs/result_cache.h"
#include "server/jobs/webhooks.h"
#include "server/rpc/door.h"
#include "server/rpc/image_generation_service.h"
#include "server/rpc/jobs_service.h"
#include "server/rpc/lora_registry_service.h"
#include "server/rpc/model_admin_service.h"
#include "server/rpc/model_registry_service.h"
#include "server/rpc/picture_scoring_service.h"
#include "server/rpc/upscaling_service.h"

namespace genzo {

// What a front end works with; all outlive it.
struct FrontEndDependencies {
  JobQueue& queue;
  const ModelCatalog& catalog;
  Metrics& metrics;
  const Clock& clock;
  ModelControl& models;
  // The pool as it is now, to predict by; null: nobody tells.
  std::function<internal::v1::PoolView()> pool_view = nullptr;
  PictureScoring* scoring = nullptr;  // null: nobody scores
  Tracer* tracer = nullptr;
  // What enlarges pictures; null: the filters alone.
  const UpscalerCatalog* upscalers = nullptr;
  // What requests may start from; null: they hear of it when it is too late.
  const StartLatents* latents = nullptr;
};

// What a front end is told by the configuration.
struct FrontEndOptions {
  RequestLimits limits = {};
  DeliveryLimits delivery = {};
  std::string admin_api = "loopback";
  JobsConfig jobs = {};
  AuthConfig auth = {};
  TlsConfig tls = {};
  WebhookConfig webhooks = {};
  ResultCacheConfig result_cache = {};
  // Where ModelAdmin is, alone, instead of beside the other services.
  std::string admin_listen = {};
  bool reflection = true;  // beside the others; where ModelAdmin is alone it is
  bool channelz = false;   // only where ModelAdmin is alone
  int http_connections = 0;  // that the HTTP door may have
  bool log_prompts = false;
};
FrontEndOptions FrontEndOptionsOf(const Config& config);

// As many as the configuration says, if the process may have descriptors for
// them; 0 without a door.
int HttpConnectionsOf(const HttpConfig& http);

// The gRPC server: the services, the standard health service and what else of
// gRPC's the options name. Takes connections up to a share of the descriptors
// that the process may have, which it raises as far as it may; refuses
// compressed messages. Thread-safe.
class FrontEnd {
 public:
  // Listens on `address`, "host:port"; port 0 takes a free one. Not serving, in
  // the health service's sense, until SetServing(true). UNAVAILABLE if an
  // address cannot be used; FAILED_PRECONDITION, INVALID_ARGUMENT or NOT_FOUND
  // if a file or folder of the options cannot.
  static absl::StatusOr<std::unique_ptr<FrontEnd>> Start(
      const std::string& address, const FrontEndOptions& options,
      const FrontEndDependencies& dependencies);
  ~FrontEnd();

  void SetServing(bool serving);

  // See JobIntake::SetLimits().
  void SetLimits(const RequestLimits& limits) { intake_.SetLimits(limits); }

  // OK if the files that the options name can be used; else as Start().
  static absl::Status Check(const FrontEndOptions& options, const Clock& clock);

  // Refuses new calls, waits for those under way until `timeout`, then breaks
  // them off. While no stream is under way it waits for next to nothing:
  // connections that have not said anything yet would use up the time.
  void Shutdown(absl::Duration timeout);
  // See Webhooks::EndBy().
  void EndPostsBy(absl::Time time) {
    if (parts_.webhooks != nullptr) parts_.webhooks->EndBy(time);
  }

  // What happens every second: forgets what was kept long enough, takes over
  // keys and certificates that were changed. Returns those of these files that
  // could not be: "keys", "jwks", "certificate".
  std::vector<std::string> Sweep() ABSL_LOCKS_EXCLUDED(sweeping_);

  int port() const { return door_->port(); }
  // Of ModelAdmin; port() unless it has an address of its own.
  int admin_port() const {
    return admin_door_ == nullptr ? port() : admin_door_->port();
  }
  // To the services but ModelAdmin, without a socket; works until Shutdown().
  std::shared_ptr<grpc::Channel> InProcessChannel() {
    return door_->InProcessChannel();
  }

 private:
  // What is made of the options and may fail.
  struct Parts {
    std::unique_ptr<KeyStore> keys;                  // null: none
    std::unique_ptr<TokenChecker> tokens;            // null: none
    std::unique_ptr<ServerCertificate> certificate;  // null: no TLS
    std::unique_ptr<Quotas> quotas;
    std::unique_ptr<Webhooks> webhooks;    // null: none
    std::unique_ptr<JobArchive> archive;   // tells quotas and webhooks
    std::unique_ptr<ResultCache> results;  // null: none
  };
  static absl::StatusOr<Parts> MakeParts(
      const FrontEndOptions& options, const FrontEndDependencies& dependencies);

  FrontEnd(const FrontEndOptions& options,
           const FrontEndDependencies& dependencies, Parts parts);

  std::vector<std::string> ReadFilesAgain()
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(sweeping_);

  const Parts parts_;
  JobQueue& queue_;
  DrainedModels drained_;
  const std::unique_ptr<Authenticator> authenticator_;
  JobIntake intake_;
  WorkThread pump_;  // of the streams' writes
  const StreamDependencies streams_;
  ImageGenerationService image_generation_;
  JobsService jobs_;
  UpscalingService upscaling_;
  ModelRegistryService model_registry_;
  LoraRegistryService lora_registry_;
  ModelAdminService model_admin_;
  PictureScoringService picture_scoring_;
  std::unique_ptr<Door> door_;        // uses the services
  std::unique_ptr<Door> admin_door_;  // likewise; null: there is one
  absl::Mutex sweeping_;              // one at a time
  WorkThread chores_;                 // last: its thread sweeps
};

}  // namespace genzo

#endif  // GENZO_SERVER_FRONT_END_H_
