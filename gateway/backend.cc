#include "gateway/backend.h"

#include <atomic>

#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "base/event_assembler.h"
#include "gateway/door_error.h"

namespace genzo {
namespace {

constexpr int kMostListed = 1000;  // of a page, by the proto

// gRPC ends the process for metadata that HTTP/2 cannot carry.
std::string Sendable(std::string value) {
  for (const unsigned char c : value) {
    if (c < 0x20 || c > 0x7E) return "";
  }
  return value;
}

// Clients that know names and passwords alone, as A1111's do, have the key for
// a password; without one they send an empty one, or none.
std::string AuthorizationOf(const std::string& header) {
  const std::vector<std::string> parts =
      absl::StrSplit(header, absl::MaxSplits(' ', 1));
  if (!absl::EqualsIgnoreCase(parts[0], "basic")) return Sendable(header);
  std::string pair;
  if (parts.size() < 2 || !absl::Base64Unescape(parts[1], &pair)) return "";
  const size_t colon = pair.find(':');
  const std::string password =
      colon == std::string::npos ? "" : pair.substr(colon + 1);
  return password.empty() ? "" : Sendable(absl::StrCat("Bearer ", password));
}

}  // namespace

CallerKeys KeysOf(const HttpRequest& request) {
  std::string authorization = AuthorizationOf(request.Header("authorization"));
  const std::string key = Sendable(request.Header("x-api-key"));
  if (authorization.empty() && !key.empty()) {
    authorization = absl::StrCat("Bearer ", key);
  }
  return {.authorization = std::move(authorization),
          .tenant = Sendable(request.Header("x-genzo-tenant")),
          .traceparent = Sendable(request.Header("traceparent")),
          .request_id = request.id,
          .peer = request.peer};
}

// One server stream. Deletes itself after its end.
class Backend::Stream : public grpc::ClientReadReactor<v1::JobEvent> {
 public:
  Stream(std::shared_ptr<grpc::ClientContext> context, StreamListener reader)
      : context_(std::move(context)), reader_(std::move(reader)) {}

  // Everything before start().
  void Begin() {
    AddHold();  // reads are begun outside of reactions
    Read();
    StartCall();
  }

  grpc::ClientContext* context() const { return context_.get(); }

  void OnReadDone(bool ok) override {
    Order();
    if (!ok) return RemoveHold();
    auto whole = assembler_.Add(std::move(event_));
    event_.Clear();
    if (!whole.has_value()) return Read();
    reader_.on_event(*std::move(whole),
                     EventTurn(this, [](Stream* self) { self->Read(); }));
  }

  void OnDone(const grpc::Status& status) override {
    Order();
    const std::unique_ptr<Stream> last(this);
    reader_.on_end(FromGrpcStatus(status));
  }

 private:
  void Read() {
    Order();
    StartRead(&event_);
  }

  // What one reaction wrote, the next sees, on whichever thread it runs. gRPC
  // sees to that too, but where ThreadSanitizer does not look.
  void Order() { reactions_.fetch_add(1, std::memory_order_acq_rel); }

  const std::shared_ptr<grpc::ClientContext> context_;  // last to go
  StreamListener reader_;
  v1::JobEvent event_;
  EventAssembler assembler_;
  std::atomic<int> reactions_{0};
};

template <typename Request, typename Answer>
struct Backend::Unary {
  const std::shared_ptr<grpc::ClientContext> context;  // last to go
  Request request;
  Answer answer;
  Done<Answer> done;
};

Backend::Backend(std::shared_ptr<grpc::Channel> channel)
    : channel_(std::move(channel)),
      images_(v1::ImageGeneration::NewStub(channel_)),
      jobs_(v1::Jobs::NewStub(channel_)),
      models_(v1::ModelRegistry::NewStub(channel_)),
      loras_(v1::LoraRegistry::NewStub(channel_)),
      upscaling_(v1::Upscaling::NewStub(channel_)),
      scoring_(v1::PictureScoring::NewStub(channel_)) {}

Backend::~Backend() {
  // Cancelled with no lock held: the ends of calls take it.
  decltype(live_) live;
  {
    const absl::MutexLock lock(&mutex_);
    live = live_;
  }
  for (const auto& [_, weak] : live) {
    if (const auto context = weak.lock()) context->TryCancel();
  }
  const absl::MutexLock lock(&mutex_);
  mutex_.Await(absl::Condition(
      +[](decltype(live_)* left) { return left->empty(); }, &live_));
}

std::shared_ptr<grpc::ClientContext> Backend::NewContext(
    const CallerKeys& keys) {
  const absl::MutexLock lock(&mutex_);
  const uint64_t call = ++calls_;
  // Deleted with no lock held: gRPC may run the end of another call in it.
  std::shared_ptr<grpc::ClientContext> context(
      new grpc::ClientContext, [this, call](grpc::ClientContext* last) {
        delete last;
        Released(call);
      });
  live_[call] = context;
  const auto add = [&](const char* name, const std::string& value) {
    if (!value.empty()) context->AddMetadata(name, value);
  };
  add("authorization", keys.authorization);
  add("x-genzo-tenant", keys.tenant);
  add("traceparent", keys.traceparent);
  add("x-request-id", keys.request_id);
  add("x-forwarded-for", keys.peer);
  return context;
}

void Backend::Released(uint64_t call) {
  const absl::MutexLock lock(&mutex_);
  live_.erase(call);
}

CancelStream Backend::Launch(const CallerKeys& keys, StreamListener reader,
                             const std::function<void(Stream&)>& start) {
  const auto context = NewContext(keys);
  auto* stream = new Stream(context, std::move(reader));
  start(*stream);
  stream->Begin();
  return [weak = std::weak_ptr(context)] {
    if (const auto alive = weak.lock()) alive->TryCancel();
  };
}

CancelStream Backend::Generate(const CallerKeys& keys,
                               const v1::GenerateRequest& request,
                               StreamListener reader) {
  return Launch(keys, std::move(reader), [&](Stream& stream) {
    images_->async()->Generate(stream.context(), &request, &stream);
  });
}

CancelStream Backend::Upscale(const CallerKeys& keys,
                              const v1::UpscaleRequest& request,
                              StreamListener reader) {
  return Launch(keys, std::move(reader), [&](Stream& stream) {
    upscaling_->async()->Upscale(stream.context(), &request, &stream);
  });
}

CancelStream Backend::Watch(const CallerKeys& keys,
                            const v1::WatchJobRequest& request,
                            StreamListener reader) {
  return Launch(keys, std::move(reader), [&](Stream& stream) {
    jobs_->async()->WatchJob(stream.context(), &request, &stream);
  });
}

template <typename Request, typename Answer, typename Start>
void Backend::Call(const CallerKeys& keys, const Request& request,
                   Done<Answer> done, Start start) {
  auto call = std::make_shared<Unary<Request, Answer>>(
      Unary<Request, Answer>{.context = NewContext(keys),
                             .request = request,
                             .done = std::move(done)});
  start(*call, [call](const grpc::Status& status) {
    if (status.ok()) {
      call->done(std::move(call->answer));
    } else {
      call->done(FromGrpcStatus(status));
    }
  });
}

void Backend::ListModels(const CallerKeys& keys,
                         Done<v1::ListModelsResponse> done) {
  v1::ListModelsRequest request;
  request.set_page_size(1000);
  Call<v1::ListModelsRequest, v1::ListModelsResponse>(
      keys, request, std::move(done), [this](auto& call, auto ended) {
        models_->async()->ListModels(call.context.get(), &call.request,
                                     &call.answer, ended);
      });
}

void Backend::ListLoras(const CallerKeys& keys,
                        Done<v1::LoraRegistryListResponse> done) {
  v1::LoraRegistryListRequest most;
  most.set_page_size(kMostListed);
  ListLoras(keys, most, std::move(done));
}

void Backend::ListLoras(const CallerKeys& keys,
                        const v1::LoraRegistryListRequest& request,
                        Done<v1::LoraRegistryListResponse> done) {
  Call<v1::LoraRegistryListRequest, v1::LoraRegistryListResponse>(
      keys, request, std::move(done), [this](auto& call, auto ended) {
        loras_->async()->List(call.context.get(), &call.request, &call.answer,
                              ended);
      });
}

void Backend::ListUpscalers(const CallerKeys& keys,
                            Done<v1::ListUpscalersResponse> done) {
  Call<v1::ListUpscalersRequest, v1::ListUpscalersResponse>(
      keys, {}, std::move(done), [this](auto& call, auto ended) {
        upscaling_->async()->ListUpscalers(call.context.get(), &call.request,
                                           &call.answer, ended);
      });
}

void Backend::ListScorers(const CallerKeys& keys,
                          Done<v1::ListScorersResponse> done) {
  Call<v1::ListScorersRequest, v1::ListScorersResponse>(
      keys, {}, std::move(done), [this](auto& call, auto ended) {
        scoring_->async()->ListScorers(call.context.get(), &call.request,
                                       &call.answer, ended);
      });
}

void Backend::Score(const CallerKeys& keys, const v1::ScoreRequest& request,
                    Done<v1::ScoreResponse> done) {
  Call<v1::ScoreRequest, v1::ScoreResponse>(
      keys, request, std::move(done), [this](auto& call, auto ended) {
        scoring_->async()->Score(call.context.get(), &call.request,
                                 &call.answer, ended);
      });
}

void Backend::CreateJob(const CallerKeys& keys,
                        const v1::CreateJobRequest& request,
                        Done<v1::Job> done) {
  Call<v1::CreateJobRequest, v1::Job>(
      keys, request, std::move(done), [this](auto& call, auto ended) {
        jobs_->async()->CreateJob(call.context.get(), &call.request,
                                  &call.answer, ended);
      });
}

void Backend::GetJob(const CallerKeys& keys, const std::string& id,
                     Done<v1::Job> done) {
  v1::GetJobRequest request;
  request.set_id(id);
  Call<v1::GetJobRequest, v1::Job>(
      keys, request, std::move(done), [this](auto& call, auto ended) {
        jobs_->async()->GetJob(call.context.get(), &call.request, &call.answer,
                               ended);
      });
}

void Backend::ListJobs(const CallerKeys& keys,
                       const v1::ListJobsRequest& request,
                       Done<v1::ListJobsResponse> done) {
  Call<v1::ListJobsRequest, v1::ListJobsResponse>(
      keys, request, std::move(done), [this](auto& call, auto ended) {
        jobs_->async()->ListJobs(call.context.get(), &call.request,
                                 &call.answer, ended);
      });
}

void Backend::CancelJob(const CallerKeys& keys, const std::string& id,
                        Done<v1::Job> done) {
  v1::CancelJobRequest request;
  request.set_id(id);
  Call<v1::CancelJobRequest, v1::Job>(
      keys, request, std::move(done), [this](auto& call, auto ended) {
        jobs_->async()->CancelJob(call.context.get(), &call.request,
                                  &call.answer, ended);
      });
}

}  // namespace genzo
