#include "server/rpc/picture_scoring_service.h"

#include "absl/algorithm/container.h"
#include "absl/strings/str_cat.h"
#include "base/api_keys.h"
#include "base/errors.h"
#include "server/access/quotas.h"
#include "server/resolve/violations.h"
#include "server/rpc/grpc_call.h"
#include "server/rpc/pages.h"

namespace genzo {
namespace {

constexpr int kMostPictures = 64;

}  // namespace

absl::StatusOr<v1::ScoreRequest> ResolveScoreRequest(
    const v1::ScoreRequest& request, const RequestLimits& limits,
    const std::string& default_model) {
  v1::ScoreRequest resolved = request;
  Violations violations;
  if (resolved.scorer().empty() && resolved.model().empty()) {
    resolved.set_model(default_model);
  }
  if (!resolved.scorer().empty() && !resolved.model().empty()) {
    violations.Add("model", "model does not go with scorer");
  }
  const auto& scorers = limits.pictures.scorers;
  const bool reads_prompt =
      resolved.scorer().empty() ||
      (absl::c_linear_search(scorers, resolved.scorer()) &&
       limits.pictures.aesthetic.count(resolved.scorer()) == 0);
  if (reads_prompt && resolved.prompt().empty()) {
    violations.Add("prompt",
                   "prompt is empty, which pictures are compared with");
  }
  violations.CheckText("prompt", resolved.prompt(), limits.max_prompt_bytes);
  if (resolved.pictures_size() < 1 ||
      resolved.pictures_size() > kMostPictures) {
    violations.Add("pictures",
                   absl::StrCat("pictures has ", resolved.pictures_size(),
                                " entries, not 1 to ", kMostPictures));
  }
  for (int i = 0; i < resolved.pictures_size(); ++i) {
    violations.ResolvePicture(absl::StrCat("pictures[", i, "]"),
                              static_cast<size_t>(limits.max_image_bytes),
                              *resolved.mutable_pictures(i));
  }
  const absl::Status status = violations.status();
  if (!status.ok()) return status;
  return resolved;
}

absl::StatusOr<v1::ScoreRequest> PictureScoringService::Read(
    const grpc::CallbackServerContext& context,
    const grpc::ByteBuffer& bytes) const {
  v1::ScoreRequest request;
  const auto caller = BeginCall(context, bytes, dependencies_.authenticator,
                                kScopeGenerate, request);
  if (!caller.ok()) return caller.status();
  if (dependencies_.scoring == nullptr) {
    return absl::UnimplementedError("this server scores no pictures");
  }
  const auto model = dependencies_.catalog.Get("");
  auto resolved = ResolveScoreRequest(request, dependencies_.intake.limits(),
                                      model.ok() ? model->id() : std::string());
  if (!resolved.ok() || resolved->model().empty()) return resolved;
  if (caller->grant != nullptr) {
    absl::Status allowed = CheckGrantModel(*caller->grant, resolved->model());
    if (!allowed.ok()) return allowed;
  }
  const auto named = dependencies_.catalog.Get(resolved->model());
  if (!named.ok()) return named.status();
  return resolved;
}

grpc::ServerUnaryReactor* PictureScoringService::Score(
    grpc::CallbackServerContext* context, const grpc::ByteBuffer* bytes,
    grpc::ByteBuffer* answer) {
  auto* reactor = context->DefaultReactor();
  auto request = Read(*context, *bytes);
  if (!request.ok()) {
    FinishCall(context, reactor, "Score", request.status(),
               dependencies_.metrics);
    return reactor;
  }
  // gRPC keeps the answer until the reactor has finished.
  dependencies_.scoring->Score(
      *std::move(request),
      [=, this](const absl::StatusOr<v1::ScoreResponse>& response) {
        if (response.ok()) *answer = ToBytes(*response);
        FinishCall(context, reactor, "Score", response.status(),
                   dependencies_.metrics);
      });
  return reactor;
}

grpc::ServerUnaryReactor* PictureScoringService::ListScorers(
    grpc::CallbackServerContext* context, const grpc::ByteBuffer* bytes,
    grpc::ByteBuffer* answer) {
  v1::ListScorersRequest request;
  absl::Status status = BeginCall(*context, *bytes, dependencies_.authenticator,
                                  /*scope=*/"", request)
                            .status();
  if (status.ok()) {
    const RequestLimits limits = dependencies_.intake.limits();
    std::vector<std::string> names = limits.pictures.scorers;
    absl::c_sort(names);
    const auto list = AnswerOf<v1::ListScorersResponse>(
        PageOf(
            std::move(names), [](const std::string& name) { return name; },
            request),
        [&](auto& all, const std::string& name) {
          v1::Scorer& scorer = *all.add_scorers();
          scorer.set_name(name);
          scorer.set_reads_prompt(limits.pictures.aesthetic.count(name) == 0);
        });
    status = list.status();
    if (list.ok()) *answer = ToBytes(*list);
  }
  auto* reactor = context->DefaultReactor();
  FinishCall(context, reactor, "ListScorers", status, dependencies_.metrics);
  return reactor;
}

}  // namespace genzo
