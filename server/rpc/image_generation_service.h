#ifndef GENZO_SERVER_RPC_IMAGE_GENERATION_SERVICE_H_
#define GENZO_SERVER_RPC_IMAGE_GENERATION_SERVICE_H_

#include "genzo/v1/image_generation.grpc.pb.h"
#include "server/access/authenticator.h"
#include "server/jobs/job_intake.h"
#include "server/rpc/generate_reactor.h"

namespace genzo {

// genzo.v1.ImageGeneration: reads a request, hands it to the intake and streams
// the job's events. Thread-safe.
class ImageGenerationService
    : public v1::ImageGeneration::WithRawCallbackMethod_Generate<
          v1::ImageGeneration::Service> {
 public:
  // All outlive the service.
  ImageGenerationService(const Authenticator& authenticator, JobIntake& intake,
                         const StreamDependencies& dependencies)
      : authenticator_(authenticator),
        intake_(intake),
        dependencies_(dependencies) {}

  grpc::ServerWriteReactor<grpc::ByteBuffer>* Generate(
      grpc::CallbackServerContext* context,
      const grpc::ByteBuffer* bytes) override;

 private:
  const Authenticator& authenticator_;
  JobIntake& intake_;
  const StreamDependencies dependencies_;
};

}  // namespace genzo

#endif  // GENZO_SERVER_RPC_IMAGE_GENERATION_SERVICE_H_
