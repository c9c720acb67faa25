#ifndef GENZO_SERVER_RPC_UPSCALING_SERVICE_H_
#define GENZO_SERVER_RPC_UPSCALING_SERVICE_H_

#include "genzo/v1/upscaling.grpc.pb.h"
#include "server/access/authenticator.h"
#include "server/jobs/job_intake.h"
#include "server/rpc/generate_reactor.h"

namespace genzo {

// genzo.v1.Upscaling: as ImageGenerationService, for pictures that are to be
// enlarged. Thread-safe.
class UpscalingService : public v1::Upscaling::WithRawCallbackMethod_Upscale<
                             v1::Upscaling::WithRawCallbackMethod_ListUpscalers<
                                 v1::Upscaling::Service>> {
 public:
  // All outlive the service.
  UpscalingService(const Authenticator& authenticator, JobIntake& intake,
                   const StreamDependencies& dependencies)
      : authenticator_(authenticator),
        intake_(intake),
        dependencies_(dependencies) {}

  grpc::ServerWriteReactor<grpc::ByteBuffer>* Upscale(
      grpc::CallbackServerContext* context,
      const grpc::ByteBuffer* bytes) override;
  grpc::ServerUnaryReactor* ListUpscalers(grpc::CallbackServerContext* context,
                                          const grpc::ByteBuffer* bytes,
                                          grpc::ByteBuffer* answer) override;

 private:
  const Authenticator& authenticator_;
  JobIntake& intake_;
  const StreamDependencies dependencies_;
};

}  // namespace genzo

#endif  // GENZO_SERVER_RPC_UPSCALING_SERVICE_H_
