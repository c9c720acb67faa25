#include "queue/job_work.h"

#include "base/proto_time.h"

namespace genzo {
namespace {

double WeightOf(v1::GenerateRequest::Priority priority) {
  switch (priority) {
    case v1::GenerateRequest::PRIORITY_LOW:
      return 0.25;
    case v1::GenerateRequest::PRIORITY_HIGH:
      return 4;
    default:
      return 1;
  }
}

}  // namespace

JobWork WorkOf(const internal::v1::Job& job) {
  const v1::GenerateRequest& request = job.request();
  return {.model = request.model(),
          .tenant = job.tenant(),
          .weight = WeightOf(request.priority()),
          .pixels = int64_t{request.width()} * request.height(),
          .rows = request.guidance_scale() > 1 ? 2 : 1,
          .images = static_cast<int>(request.image_count()),
          .steps = static_cast<int>(request.steps()),
          .sampler = request.sampler(),
          .accepted = FromProto(job.accepted_at()),
          .deadline = job.has_deadline() ? FromProto(job.deadline())
                                         : absl::InfiniteFuture()};
}

}  // namespace genzo
