#include "server/image_generation_service.h"

#include "absl/random/random.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "base/errors.h"
#include "base/logging.h"
#include "base/proto_time.h"
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

// gRPC says "none" with a time in the far future.
constexpr absl::Duration kFarDeadline = absl::Hours(24 * 365);

constexpr char kTenantKey[] = "x-genzo-tenant";
constexpr size_t kMaxTenantBytes = 64;

// Whose share of the pool the call uses: until there are keys, what it says.
absl::StatusOr<std::string> TenantOf(
    const grpc::CallbackServerContext& context) {
  const auto& metadata = context.client_metadata();
  const auto found = metadata.find(kTenantKey);
  if (found == metadata.end()) return "";
  const std::string tenant(found->second.data(), found->second.size());
  if (tenant.size() <= kMaxTenantBytes && IsPlainName(tenant)) return tenant;
  return InvalidFieldsError(
      {{kTenantKey, absl::StrCat(kTenantKey, " has ", tenant.size(),
                                 " bytes; it must "
                                 "match [A-Za-z0-9._-]{1,",
                                 kMaxTenantBytes, "}")}});
}

}  // namespace

absl::StatusOr<internal::v1::Job> ImageGenerationService::MakeJob(
    const grpc::CallbackServerContext& context,
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
  const auto tenant = TenantOf(context);
  if (!tenant.ok()) return tenant.status();
  job.set_tenant(*tenant);
  *job.mutable_accepted_at() = ToProto(dependencies_.clock.Now());
  const absl::Time deadline = absl::FromChrono(context.deadline());
  if (deadline - dependencies_.clock.Now() < kFarDeadline) {
    *job.mutable_deadline() = ToProto(deadline);
  }
  return job;
}

grpc::ServerWriteReactor<v1::GenerateResponse>*
ImageGenerationService::Generate(grpc::CallbackServerContext* context,
                                 const v1::GenerateRequest* request) {
  auto job = MakeJob(*context, *request);
  if (!job.ok()) {
    // Escaped: a message may quote the client.
    spdlog::info("refused: {}", absl::Utf8SafeCEscape(job.status().message()));
    return GenerateReactor::Refuse(context, job.status(), stream_dependencies_);
  }
  const v1::GenerateRequest& resolved = job->request();
  spdlog::info(
      "job {} accepted: request_id \"{}\", model {}, {} images, {}x{}, {} "
      "steps",
      job->id(), resolved.request_id(), resolved.model(),
      resolved.image_count(), resolved.width(), resolved.height(),
      resolved.steps());
  return GenerateReactor::Start(context, *std::move(job), stream_dependencies_);
}

}  // namespace genzo
