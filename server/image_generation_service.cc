#include "server/image_generation_service.h"

#include "absl/random/random.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "base/logging.h"
#include "server/generate_reactor.h"
#include "server/request_resolver.h"

namespace genzo {
namespace {

// 32 bits: the generator of the reference pipelines reads no more, and people
// copy seeds by hand.
uint64_t DrawSeed() { return absl::Uniform<uint32_t>(absl::BitGen()); }

std::string DrawJobId() {
  absl::BitGen generator;
  return absl::StrCat(
      absl::Hex(absl::Uniform<uint64_t>(generator), absl::kZeroPad16),
      absl::Hex(absl::Uniform<uint64_t>(generator), absl::kZeroPad16));
}

}  // namespace

absl::StatusOr<internal::v1::Job> ImageGenerationService::MakeJob(
    const v1::GenerateRequest& request) const {
  const auto model = dependencies_.catalog.Get(request.model());
  if (!model.ok()) return model.status();
  const absl::Status usable = CheckModelState(*model);
  if (!usable.ok()) return usable;
  auto resolved = ResolveRequest(request, *model, limits_, DrawSeed());
  if (!resolved.ok()) return resolved.status();
  internal::v1::Job job;
  job.set_id(DrawJobId());
  *job.mutable_request() = *std::move(resolved);
  const int64_t nanos = absl::ToUnixNanos(dependencies_.clock.Now());
  job.mutable_accepted_at()->set_seconds(nanos / 1'000'000'000);
  job.mutable_accepted_at()->set_nanos(nanos % 1'000'000'000);
  return job;
}

grpc::ServerWriteReactor<v1::GenerateResponse>*
ImageGenerationService::Generate(grpc::CallbackServerContext* context,
                                 const v1::GenerateRequest* request) {
  auto job = MakeJob(*request);
  if (!job.ok()) {
    // Escaped: a message may quote the client.
    spdlog::info("refused: {}", absl::Utf8SafeCEscape(job.status().message()));
    return GenerateReactor::Refuse(context, job.status(), dependencies_.queue,
                                   dependencies_.metrics);
  }
  const v1::GenerateRequest& resolved = job->request();
  spdlog::info(
      "job {} accepted: request_id \"{}\", model {}, {} images, {}x{}, {} "
      "steps",
      job->id(), resolved.request_id(), resolved.model(),
      resolved.image_count(), resolved.width(), resolved.height(),
      resolved.steps());
  return GenerateReactor::Start(context, *std::move(job), dependencies_.queue,
                                dependencies_.metrics);
}

}  // namespace genzo
