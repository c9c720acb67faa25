#ifndef GENZO_SERVER_IMAGE_GENERATION_SERVICE_H_
#define GENZO_SERVER_IMAGE_GENERATION_SERVICE_H_

#include "base/clock.h"
#include "base/config.h"
#include "base/metrics.h"
#include "base/model_catalog.h"
#include "genzo/v1/image_generation.grpc.pb.h"
#include "queue/job_queue.h"
#include "queue/model_control.h"
#include "server/event_pump.h"
#include "server/generate_reactor.h"

namespace genzo {

// What the services of a front end work with; all outlive them.
struct FrontEndDependencies {
  JobQueue& queue;
  const ModelCatalog& catalog;
  Metrics& metrics;
  const Clock& clock;
  ModelControl& models;
};

// genzo.v1.ImageGeneration: resolves a request, queues it as a job and streams
// its events. Thread-safe.
class ImageGenerationService : public v1::ImageGeneration::CallbackService {
 public:
  ImageGenerationService(const RequestLimits& limits,
                         const FrontEndDependencies& dependencies)
      : limits_(limits),
        dependencies_(dependencies),
        stream_dependencies_{dependencies.queue, dependencies.metrics, pump_} {}

  grpc::ServerWriteReactor<v1::GenerateResponse>* Generate(
      grpc::CallbackServerContext* context,
      const v1::GenerateRequest* request) override;

 private:
  absl::StatusOr<internal::v1::Job> MakeJob(
      const grpc::CallbackServerContext& context,
      const v1::GenerateRequest& request) const;

  const RequestLimits limits_;
  const FrontEndDependencies dependencies_;
  EventPump pump_;
  const StreamDependencies stream_dependencies_;
};

}  // namespace genzo

#endif  // GENZO_SERVER_IMAGE_GENERATION_SERVICE_H_
