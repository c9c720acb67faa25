#include "tools/bench/session.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "base/statistics.h"
#include "client/model_list.h"
#include "client/status_report.h"
#include "genzo/v1/model_registry.grpc.pb.h"
#include "grpcpp/create_channel.h"

namespace genzo {
namespace {

absl::Status ForPeople(const grpc::Status& status, const std::string& server) {
  return absl::Status(static_cast<absl::StatusCode>(status.error_code()),
                      Describe(status, server));
}

std::shared_ptr<grpc::Channel> Connect(const std::string& server) {
  grpc::ChannelArguments arguments;
  arguments.SetMaxReceiveMessageSize(-1);  // pictures may exceed 4 MiB
  return grpc::CreateCustomChannel(server, grpc::InsecureChannelCredentials(),
                                   arguments);
}

// The model `id`, or the default one if `id` is empty.
absl::StatusOr<v1::Model> FindModel(
    const std::shared_ptr<grpc::Channel>& channel, const std::string& id,
    const std::string& server) {
  const auto stub = v1::ModelRegistry::NewStub(channel);
  if (!id.empty()) {
    grpc::ClientContext context;
    v1::GetModelRequest request;
    request.set_id(id);
    v1::Model model;
    const grpc::Status status = stub->GetModel(&context, request, &model);
    if (!status.ok()) return ForPeople(status, server);
    return model;
  }
  v1::ListModelsResponse response;
  const grpc::Status status = ListModels(*stub, response);
  if (!status.ok()) return ForPeople(status, server);
  for (const v1::Model& model : response.models()) {
    if (model.is_default()) return model;
  }
  return absl::NotFoundError(
      absl::StrCat("the server at ", server, " has no default model"));
}

}  // namespace

absl::StatusOr<std::unique_ptr<Session>> Session::Create(
    const BenchOptions& options, MetricsReader read_metrics,
    ProgressLine& progress, const Clock& clock) {
  const auto channel = Connect(options.server);
  auto model = FindModel(channel, options.model, options.server);
  if (!model.ok()) return model.status();
  if (!model->has_limits()) {  // not loaded yet
    return absl::UnavailableError(absl::StrCat(
        "model ", model->id(), " of the server at ", options.server,
        !model->has_error() ? " is still being loaded; try again in a while"
                            : absl::StrCat(" could not be loaded: ",
                                           model->error().message())));
  }
  auto mix = RequestMix::Create(options.mix, *model);
  if (!mix.ok()) return mix.status();
  std::unique_ptr<Session> session(new Session(
      options, std::move(read_metrics), v1::ImageGeneration::NewStub(channel),
      *std::move(model), *std::move(mix), progress, clock));
  const absl::Status measured = session->MeasureSolo();
  if (!measured.ok()) return measured;
  return session;
}

Session::Session(const BenchOptions& options, MetricsReader read_metrics,
                 std::unique_ptr<v1::ImageGeneration::Stub> stub,
                 v1::Model model, RequestMix mix, ProgressLine& progress,
                 const Clock& clock)
    : options_(options),
      read_metrics_(std::move(read_metrics)),
      stub_(std::move(stub)),
      model_(std::move(model)),
      mix_(std::move(mix)),
      progress_(progress),
      clock_(clock) {}

absl::Status Session::MeasureSolo() {
  const int kinds = static_cast<int>(mix_.kinds().size());
  const int each = options_.solo_repeats + 1;
  const LoadResult result = RunClosed(
      "alone", {.clients = 1,
                .horizon = {.duration = {}, .requests = kinds * each},
                .plan = [&](int index) {
                  return CallPlan{.index = index,
                                  .mixed = mix_.OfKind(index / each, index)};
                }});
  std::vector<std::vector<double>> seconds(kinds);
  for (const Measurement& call : result.measurements) {
    if (!call.succeeded()) {
      return absl::Status(
          static_cast<absl::StatusCode>(call.code),
          absl::StrCat("a request alone ended with ", call.outcome(), ": ",
                       call.message, " (", mix_.kinds()[call.kind].name, ")"));
    }
    if (call.index % each == 0) continue;  // warms up
    seconds[call.kind].push_back(absl::ToDoubleSeconds(call.total));
  }
  solo_.deadline_factor = options_.deadline_factor;
  for (const auto& times : seconds) {
    solo_.by_kind.push_back(absl::Seconds(*Quantile(times, 0.5)));
  }
  return absl::OkStatus();
}

double Session::serial_capacity() const {
  return 1 / absl::ToDoubleSeconds(solo_.Mean());
}

CallPlan Session::PlanOf(int index) const {
  return {.index = index, .mixed = mix_.Draw(index)};
}

std::vector<TimedCall> Session::PlansAt(
    const std::vector<absl::Duration>& arrivals) const {
  std::vector<TimedCall> calls;
  for (size_t i = 0; i < arrivals.size(); ++i) {
    calls.push_back({arrivals[i], PlanOf(static_cast<int>(i))});
  }
  return calls;
}

LoadResult Session::RunOpen(const std::string& label,
                            std::vector<TimedCall> calls) {
  progress_.Begin(label);
  LoadResult result =
      Load(*stub_, options_.grace, progress_, clock_).RunOpen(std::move(calls));
  server_gone_ = server_gone_ || result.server_gone;
  return result;
}

LoadResult Session::RunClosed(const std::string& label, ClosedLoop loop) {
  progress_.Begin(label);
  LoadResult result = Load(*stub_, options_.grace, progress_, clock_)
                          .RunClosed(std::move(loop));
  server_gone_ = server_gone_ || result.server_gone;
  return result;
}

LoadResult Session::RunClosed(const std::string& label, int clients) {
  return RunClosed(label, {.clients = clients,
                           .horizon = options_.horizon,
                           .plan = [this](int i) { return PlanOf(i); }});
}

Point Session::MakePoint(const std::string& label, std::optional<double> x,
                         const LoadResult& result) const {
  return {label, x, Summarize(result, solo_)};
}

}  // namespace genzo
