#ifndef GENZO_TESTS_TESTING_SERVER_H_
#define GENZO_TESTS_TESTING_SERVER_H_

#include <functional>
#include <future>
#include <memory>
#include <string>
#include <vector>

#include "base/errors.h"
#include "genzo/v1/image_generation.grpc.pb.h"
#include "genzo/v1/model_admin.grpc.pb.h"
#include "genzo/v1/model_registry.grpc.pb.h"
#include "grpcpp/create_channel.h"
#include "queue/memory_job_queue.h"
#include "queue/pool_load.h"
#include "queue/split_job_queue.h"
#include "server/front_end.h"
#include "tests/testing/test_folder.h"
#include "worker/engine/worker_pool.h"

namespace genzo {

// Settings for one tiny model with random weights in float32.
inline Config TinyConfig() {
  Config config;
  config.models = {{"tiny", TinyModelFolder()}};
  config.default_model = "tiny";
  config.threads = 2;
  config.dtype = "float32";
  return config;
}

// A server for one test.
class Server {
 public:
  // `models`: where they come from.
  explicit Server(
      const Config& config,
      const std::function<ModelSource(const Placement&)>& models = FolderSource)
      : catalog_(config.default_model),
        painting_(config.queue_capacity, Clock::Real(), metrics_, load_),
        upscaling_(config.queue_capacity, Clock::Real(), metrics_,
                   upscaling_load_, /*tells_age=*/false),
        queue_(painting_, upscaling_),
        pool_(*WorkerPool::Create(config, {.queue = queue_,
                                           .load = load_,
                                           .catalog = catalog_,
                                           .metrics = metrics_,
                                           .clock = Clock::Real(),
                                           .models = models,
                                           .upscaling = &upscaling_,
                                           .upscalers = &upscalers_})),
        dependencies_{.queue = queue_,
                      .catalog = catalog_,
                      .metrics = metrics_,
                      .clock = Clock::Real(),
                      .models = *pool_,
                      .scoring = pool_.get(),
                      .upscalers = &upscalers_,
                      .latents = pool_->latents()},
        front_end_(*FrontEnd::Start("127.0.0.1:0", FrontEndOptionsOf(config),
                                    dependencies_)) {
    std::promise<void> loaded;
    pool_->Start([&] { loaded.set_value(); }, [] {});
    loaded.get_future().wait();
    front_end_->SetServing(true);
  }

  ~Server() {
    queue_.Close();
    queue_.CancelAll();
    pool_->Stop();
    pool_.reset();
    front_end_->Shutdown(absl::ZeroDuration());
  }

  std::string address() const {
    return "127.0.0.1:" + std::to_string(front_end_->port());
  }

  std::shared_ptr<grpc::Channel> Channel() const {
    return grpc::CreateChannel(address(), grpc::InsecureChannelCredentials());
  }

  // A second front end on the same address.
  absl::Status StartAnother() const {
    return FrontEnd::Start(address(), {}, dependencies_).status();
  }

  Metrics& metrics() { return metrics_; }
  JobQueue& queue() { return queue_; }
  PoolLoad& load() { return load_; }

  // Makes admission believe that the model takes no time at all.
  void PretendToBeFast(const std::string& model) {
    load_.speeds().SetSpeed(0, model,
                            {.costs = StepCosts({{2, absl::Nanoseconds(1)}}),
                             .own_pixels = 64 * 64,
                             .largest_batch = 16,
                             .decode = absl::ZeroDuration()});
  }
  WorkerPool& pool() { return *pool_; }

 private:
  Metrics metrics_;
  ModelCatalog catalog_;
  PoolLoad load_;
  MemoryJobQueue painting_;
  PoolLoad upscaling_load_;
  MemoryJobQueue upscaling_;
  SplitJobQueue queue_;
  UpscalerCatalog upscalers_;
  std::unique_ptr<WorkerPool> pool_;
  const FrontEndDependencies dependencies_;
  std::unique_ptr<FrontEnd> front_end_;
};

// Whether `event` ends a job that has its pictures.
inline bool Succeeded(const v1::JobEvent& event) {
  return event.ended().state() == v1::JOB_STATE_SUCCEEDED;
}

// One Generate call.
class Call {
 public:
  // What a call says besides its request.
  struct Options {
    std::string tenant;
  };

  Call(const Server& server, const v1::GenerateRequest& request)
      : Call(server, request, Options()) {}
  Call(const Server& server, const v1::GenerateRequest& request,
       const Options& options)
      : stub_(v1::ImageGeneration::NewStub(server.Channel())) {
    if (!options.tenant.empty()) {
      context_.AddMetadata("x-genzo-tenant", options.tenant);
    }
    stream_ = stub_->Generate(&context_, request);
  }

  bool Read(v1::JobEvent& event) { return stream_->Read(&event); }
  void Cancel() { context_.TryCancel(); }

  // Reads until an event fits.
  bool ReadUntil(const std::function<bool(const v1::JobEvent&)>& fits) {
    v1::JobEvent event;
    while (stream_->Read(&event)) {
      if (fits(event)) return true;
    }
    return false;
  }

  // Reads the rest.
  std::vector<v1::JobEvent> Rest() {
    std::vector<v1::JobEvent> events;
    v1::JobEvent event;
    while (stream_->Read(&event)) events.push_back(event);
    status_ = stream_->Finish();
    return events;
  }

  const grpc::Status& status() const { return status_; }
  std::string reason() const {
    google::rpc::Status details;
    details.ParseFromString(status_.error_details());
    return ErrorReason(FromRpcStatus(details));
  }
  absl::Duration retry_after() const {
    google::rpc::Status details;
    details.ParseFromString(status_.error_details());
    return RetryAfter(FromRpcStatus(details));
  }
  const grpc::ClientContext& context() const { return context_; }

 private:
  grpc::ClientContext context_;
  const std::unique_ptr<v1::ImageGeneration::Stub> stub_;
  std::unique_ptr<grpc::ClientReader<v1::JobEvent>> stream_;
  grpc::Status status_;
};

}  // namespace genzo

#endif  // GENZO_TESTS_TESTING_SERVER_H_
