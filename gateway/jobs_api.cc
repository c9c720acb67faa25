#include "gateway/jobs_api.h"

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "gateway/door_error.h"
#include "gateway/field_names.h"
#include "gateway/json_answers.h"
#include "gateway/painting.h"
#include "gateway/proto_json.h"

namespace genzo {
namespace {

// "preview", as the proto calls what happened; "unknown" for what is newer
// than this program.
std::string NameOf(const v1::JobEvent& event) {
  const auto& what = *v1::JobEvent::descriptor()->FindOneofByName("event");
  const auto* field =
      v1::JobEvent::GetReflection()->GetOneofFieldDescriptor(event, &what);
  return field == nullptr ? "unknown" : field->name();
}

absl::StatusOr<v1::ListJobsRequest> ReadList(const HttpRequest& request) {
  v1::ListJobsRequest list;
  for (const auto& [name, value] : request.query) {
    int32_t size = 0;
    if (name == "page_size") {
      if (!absl::SimpleAtoi(value, &size)) {
        return WrongParameter(name, value,
                              "is not a whole number from 0 to 1000");
      }
      list.set_page_size(size);
    } else if (name == "page_token") {
      list.set_page_token(value);
    } else if (name == "states") {
      for (const absl::string_view text : absl::StrSplit(value, ',')) {
        v1::JobState state;
        if (!v1::JobState_Parse(std::string(text), &state)) {
          return WrongParameter(name, std::string(text),
                                "is not a state of jobs");
        }
        list.add_states(state);
      }
    } else {
      return WrongParameter(name, value, "is not a parameter of this");
    }
  }
  return list;
}

}  // namespace

std::vector<Route> JobsApi::routes() {
  return {
      {"POST",
       "/v1/jobs",
       {"application/json"},
       [this](HttpRequest request, HttpExchangeRef exchange) {
         Create(request, exchange);
       }},
      {"GET",
       "/v1/jobs",
       {},
       [this](HttpRequest request, HttpExchangeRef exchange) {
         List(request, exchange);
       }},
      {"GET",
       "/v1/jobs/{}",
       {},
       [this](HttpRequest request, HttpExchangeRef exchange) {
         backend_.GetJob(KeysOf(request), request.arguments[0],
                         Answering<v1::Job>(exchange));
       }},
      {"DELETE",
       "/v1/jobs/{}",
       {},
       [this](HttpRequest request, HttpExchangeRef exchange) {
         backend_.CancelJob(KeysOf(request), request.arguments[0],
                            Answering<v1::Job>(exchange));
       }},
      {"POST",
       "/v1/score",
       {"application/json"},
       [this](HttpRequest request, HttpExchangeRef exchange) {
         Score(request, exchange);
       }},
      {.method = "GET",
       .pattern = "/v1/jobs/{}/events",
       .handler =
           [this](HttpRequest request, HttpExchangeRef exchange) {
             if (request.method == "HEAD") return EventsHead(request, exchange);
             Events(request, exchange);
           }},
  };
}

void JobsApi::Score(const HttpRequest& request,
                    const HttpExchangeRef& exchange) {
  v1::ScoreRequest score;
  const absl::Status status = FromJson(request.body, score);
  if (!status.ok()) return exchange->Send(Refusal(status));
  backend_.Score(KeysOf(request), score,
                 Answering<v1::ScoreResponse>(exchange));
}

void JobsApi::Create(const HttpRequest& request,
                     const HttpExchangeRef& exchange) {
  v1::CreateJobRequest create;
  const absl::Status status = FromJson(request.body, create);
  if (!status.ok()) return exchange->Send(Refusal(status));
  const std::string key = request.Header("idempotency-key");
  if (!key.empty() && create.request().request_id().empty()) {
    create.mutable_request()->set_request_id(RequestIdOf(key));
  }
  backend_.CreateJob(
      KeysOf(request), create, [exchange](absl::StatusOr<v1::Job> job) {
        if (!job.ok()) {
          return exchange->Send(Refusal(Renamed(job.status(), JobNames())));
        }
        HttpResponse response = {.body = ToJson(*job)};
        if (!job->id().empty()) {
          response.status = 201;
          response.headers.emplace_back("location",
                                        absl::StrCat("/v1/jobs/", job->id()));
        }
        exchange->Send(std::move(response));
      });
}

void JobsApi::List(const HttpRequest& request,
                   const HttpExchangeRef& exchange) {
  const auto list = ReadList(request);
  if (!list.ok()) return exchange->Send(Refusal(list.status()));
  backend_.ListJobs(KeysOf(request), *list,
                    Answering<v1::ListJobsResponse>(exchange));
}

// Without watching: an answer that has no body is not to wait for a job, nor to
// be one of its readers.
void JobsApi::EventsHead(const HttpRequest& request,
                         const HttpExchangeRef& exchange) {
  backend_.GetJob(KeysOf(request), request.arguments[0],
                  [exchange](const absl::StatusOr<v1::Job>& job) {
                    if (!job.ok()) return exchange->Send(Refusal(job.status()));
                    exchange->Begin(EventStreamHead());
                    exchange->End();
                  });
}

void JobsApi::Events(const HttpRequest& request,
                     const HttpExchangeRef& exchange) {
  v1::WatchJobRequest watch;
  watch.set_id(request.arguments[0]);
  watch.set_after_sequence(LastEventId(request));
  const auto has_begun = std::make_shared<bool>(false);
  exchange->OnGone(backend_.Watch(
      KeysOf(request), watch,
      {.on_event =
           [exchange, has_begun](v1::JobEvent event, EventTurn turn) {
             if (!std::exchange(*has_begun, true)) {
               exchange->Begin(EventStreamHead());
             }
             exchange->Write(ServerSentEvent(NameOf(event), event.sequence(),
                                             ToJson(event)),
                             [turn](bool) {});
           },
       .on_end =
           [exchange, has_begun](const absl::Status& status) {
             if (!status.ok() && !*has_begun) {
               return exchange->Send(Refusal(status));
             }
             if (!*has_begun) exchange->Begin(EventStreamHead());
             if (!status.ok()) {
               exchange->Write(
                   ServerSentEvent("error", 0,
                                   Dump({{"error", RpcError(status)}})),
                   nullptr);
             }
             exchange->End();
           }}));
}

}  // namespace genzo
