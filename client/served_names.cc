#include "client/served_names.h"

#include <chrono>

#include "client/connection.h"
#include "client/lora_options.h"
#include "genzo/v1/jobs.grpc.pb.h"
#include "genzo/v1/lora_registry.grpc.pb.h"
#include "genzo/v1/model_registry.grpc.pb.h"
#include "genzo/v1/scoring.grpc.pb.h"
#include "genzo/v1/upscaling.grpc.pb.h"

namespace genzo {
namespace {

using Names = std::vector<std::string>;

constexpr int kMostNames = 1000;  // one page

// A failed call leaves its answer empty.
Names Models(const std::shared_ptr<grpc::Channel>& channel,
             grpc::ClientContext& context) {
  v1::ListModelsRequest request;
  request.set_page_size(kMostNames);
  v1::ListModelsResponse answer;
  v1::ModelRegistry::NewStub(channel)->ListModels(&context, request, &answer);
  Names names;
  for (const v1::Model& model : answer.models()) names.push_back(model.id());
  return names;
}

Names Loras(const std::shared_ptr<grpc::Channel>& channel,
            grpc::ClientContext& context) {
  v1::LoraRegistryListRequest request;
  request.set_page_size(kMostNames);
  v1::LoraRegistryListResponse answer;
  v1::LoraRegistry::NewStub(channel)->List(&context, request, &answer);
  Names names;
  for (const v1::Lora& lora : answer.loras()) {
    names.push_back(EscapedLoraName(lora.name()));
  }
  return names;
}

Names Jobs(const std::shared_ptr<grpc::Channel>& channel,
           grpc::ClientContext& context, bool live) {
  v1::ListJobsRequest request;
  request.set_page_size(kMostNames);
  if (live) {
    request.add_states(v1::JOB_STATE_QUEUED);
    request.add_states(v1::JOB_STATE_RUNNING);
  }
  v1::ListJobsResponse answer;
  v1::Jobs::NewStub(channel)->ListJobs(&context, request, &answer);
  Names names;
  for (const v1::Job& job : answer.jobs()) names.push_back(job.id());
  return names;
}

Names Upscalers(const std::shared_ptr<grpc::Channel>& channel,
                grpc::ClientContext& context) {
  v1::ListUpscalersResponse answer;
  v1::Upscaling::NewStub(channel)->ListUpscalers(&context, {}, &answer);
  Names names;
  for (const auto& one : answer.upscalers()) names.push_back(one.name());
  return names;
}

Names Scorers(const std::shared_ptr<grpc::Channel>& channel,
              grpc::ClientContext& context) {
  v1::ListScorersResponse answer;
  v1::PictureScoring::NewStub(channel)->ListScorers(&context, {}, &answer);
  Names names;
  for (const auto& one : answer.scorers()) names.push_back(one.name());
  return names;
}

}  // namespace

Names ServedNames(const std::string& server, NameKind kind,
                  std::chrono::milliseconds patience) {
  if (server.empty() || !CheckEnvironment().ok()) return {};
  const auto channel = Connect(server);
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() + patience);
  switch (kind) {
    case NameKind::kModel:
      return Models(channel, context);
    case NameKind::kLora:
      return Loras(channel, context);
    case NameKind::kJob:
    case NameKind::kLiveJob:
      return Jobs(channel, context, kind == NameKind::kLiveJob);
    case NameKind::kUpscaler:
      return Upscalers(channel, context);
    case NameKind::kScorer:
      return Scorers(channel, context);
  }
  return {};
}

}  // namespace genzo
