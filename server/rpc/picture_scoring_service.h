#ifndef GENZO_SERVER_RPC_PICTURE_SCORING_SERVICE_H_
#define GENZO_SERVER_RPC_PICTURE_SCORING_SERVICE_H_

#include <cstddef>

#include "absl/status/statusor.h"
#include "base/config.h"
#include "base/metrics.h"
#include "base/model_catalog.h"
#include "genzo/v1/scoring.grpc.pb.h"
#include "queue/picture_scoring.h"
#include "server/access/authenticator.h"
#include "server/jobs/job_intake.h"

namespace genzo {

// `request` with what it left open filled in, `default_model` where it names
// neither scorer nor model. INVALID_ARGUMENT names all bad fields. Pure.
absl::StatusOr<v1::ScoreRequest> ResolveScoreRequest(
    const v1::ScoreRequest& request, const RequestLimits& limits,
    const std::string& default_model);

// genzo.v1.PictureScoring: checks requests and passes them on to the pool.
// Thread-safe.
class PictureScoringService
    : public v1::PictureScoring::WithRawCallbackMethod_Score<
          v1::PictureScoring::WithRawCallbackMethod_ListScorers<
              v1::PictureScoring::Service>> {
 public:
  // What the service works with; all outlive it.
  struct Dependencies {
    const JobIntake& intake;  // whose limits are this one's
    const ModelCatalog& catalog;
    PictureScoring* scoring;  // null: nobody scores here
    const Authenticator& authenticator;
    Metrics& metrics;
  };
  explicit PictureScoringService(const Dependencies& dependencies)
      : dependencies_(dependencies) {}

  grpc::ServerUnaryReactor* Score(grpc::CallbackServerContext* context,
                                  const grpc::ByteBuffer* bytes,
                                  grpc::ByteBuffer* answer) override;
  grpc::ServerUnaryReactor* ListScorers(grpc::CallbackServerContext* context,
                                        const grpc::ByteBuffer* bytes,
                                        grpc::ByteBuffer* answer) override;

 private:
  absl::StatusOr<v1::ScoreRequest> Read(
      const grpc::CallbackServerContext& context,
      const grpc::ByteBuffer& bytes) const;

  const Dependencies dependencies_;
};

}  // namespace genzo

#endif  // GENZO_SERVER_RPC_PICTURE_SCORING_SERVICE_H_
