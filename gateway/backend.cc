#include "gateway/backend.h"

#include "base/event_assembler.h"
#include "gateway/door_error.h"

namespace genzo {
namespace {

void SetKeys(const CallerKeys& keys, grpc::ClientContext& context) {
  if (!keys.authorization.empty()) {
    context.AddMetadata("authorization", keys.authorization);
  }
  if (!keys.tenant.empty()) context.AddMetadata("x-genzo-tenant", keys.tenant);
  if (!keys.traceparent.empty()) {
    context.AddMetadata("traceparent", keys.traceparent);
  }
}

// gRPC ends the process for metadata that HTTP/2 cannot carry.
std::string Sendable(std::string value) {
  for (const unsigned char c : value) {
    if (c < 0x20 || c > 0x7E) return "";
  }
  return value;
}

}  // namespace

CallerKeys KeysOf(const HttpRequest& request) {
  return {.authorization = Sendable(request.Header("authorization")),
          .tenant = Sendable(request.Header("x-genzo-tenant")),
          .traceparent = Sendable(request.Header("traceparent"))};
}

// One server stream. Deletes itself after its end.
class Backend::Stream : public grpc::ClientReadReactor<v1::JobEvent> {
 public:
  Stream(Backend& backend, StreamListener reader)
      : backend_(backend), reader_(std::move(reader)) {}

  // Everything before start().
  void Begin() {
    AddHold();  // reads are begun outside of reactions
    StartRead(&event_);
    StartCall();
  }

  // Outlives the stream, for whoever may cancel.
  const std::shared_ptr<grpc::ClientContext>& context() const {
    return context_;
  }

  void OnReadDone(bool ok) override {
    if (!ok) return RemoveHold();
    auto whole = assembler_.Add(std::move(event_));
    event_.Clear();
    if (!whole.has_value()) return StartRead(&event_);
    reader_.on_event(*std::move(whole), EventTurn(this, [](Stream* self) {
      self->StartRead(&self->event_);
    }));
  }

  void OnDone(const grpc::Status& status) override {
    reader_.on_end(FromGrpcStatus(status));
    reader_ = {};  // before the backend may go
    Backend& backend = backend_;
    const auto context = context_;
    delete this;
    backend.Ended(context);
  }

 private:
  Backend& backend_;
  StreamListener reader_;
  const std::shared_ptr<grpc::ClientContext> context_ =
      std::make_shared<grpc::ClientContext>();
  v1::JobEvent event_;
  EventAssembler assembler_;
};

template <typename Request, typename Answer>
struct Backend::Unary {
  grpc::ClientContext context;
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
      upscaling_(v1::Upscaling::NewStub(channel_)) {}

Backend::~Backend() {
  // Cancelled with no lock held: the ends of calls take it.
  std::set<std::shared_ptr<grpc::ClientContext>> live;
  {
    const absl::MutexLock lock(&mutex_);
    live = live_;
  }
  for (const auto& context : live) context->TryCancel();
  const absl::MutexLock lock(&mutex_);
  mutex_.Await(absl::Condition(
      +[](decltype(live_)* left) { return left->empty(); }, &live_));
}

void Backend::Began(const std::shared_ptr<grpc::ClientContext>& context) {
  const absl::MutexLock lock(&mutex_);
  live_.insert(context);
}

void Backend::Ended(const std::shared_ptr<grpc::ClientContext>& context) {
  const absl::MutexLock lock(&mutex_);
  live_.erase(context);
}

CancelStream Backend::Launch(const CallerKeys& keys, StreamListener reader,
                             const std::function<void(Stream&)>& start) {
  auto* stream = new Stream(*this, std::move(reader));
  const auto context = stream->context();
  SetKeys(keys, *context);
  Began(context);
  start(*stream);
  stream->Begin();
  return [context] { context->TryCancel(); };
}

CancelStream Backend::Generate(const CallerKeys& keys,
                               const v1::GenerateRequest& request,
                               StreamListener reader) {
  return Launch(keys, std::move(reader), [&](Stream& stream) {
    images_->async()->Generate(stream.context().get(), &request, &stream);
  });
}

CancelStream Backend::Upscale(const CallerKeys& keys,
                              const v1::UpscaleRequest& request,
                              StreamListener reader) {
  return Launch(keys, std::move(reader), [&](Stream& stream) {
    upscaling_->async()->Upscale(stream.context().get(), &request, &stream);
  });
}

CancelStream Backend::Watch(const CallerKeys& keys,
                            const v1::WatchJobRequest& request,
                            StreamListener reader) {
  return Launch(keys, std::move(reader), [&](Stream& stream) {
    jobs_->async()->WatchJob(stream.context().get(), &request, &stream);
  });
}

template <typename Request, typename Answer, typename Start>
void Backend::Call(const CallerKeys& keys, const Request& request,
                   Done<Answer> done, Start start) {
  auto call = std::make_shared<Unary<Request, Answer>>();
  SetKeys(keys, call->context);
  call->request = request;
  call->done = std::move(done);
  const std::shared_ptr<grpc::ClientContext> context(call, &call->context);
  Began(context);
  start(*call, [this, call, context](const grpc::Status& status) {
    if (status.ok()) {
      call->done(std::move(call->answer));
    } else {
      call->done(FromGrpcStatus(status));
    }
    call->done = nullptr;
    Ended(context);
  });
}

void Backend::ListModels(const CallerKeys& keys,
                         Done<v1::ListModelsResponse> done) {
  v1::ListModelsRequest request;
  request.set_page_size(1000);
  Call<v1::ListModelsRequest, v1::ListModelsResponse>(
      keys, request, std::move(done), [this](auto& call, auto ended) {
        models_->async()->ListModels(&call.context, &call.request, &call.answer,
                                     ended);
      });
}

void Backend::ListLoras(const CallerKeys& keys,
                        Done<v1::LoraRegistryListResponse> done) {
  Call<v1::LoraRegistryListRequest, v1::LoraRegistryListResponse>(
      keys, {}, std::move(done), [this](auto& call, auto ended) {
        loras_->async()->List(&call.context, &call.request, &call.answer,
                              ended);
      });
}

void Backend::ListUpscalers(const CallerKeys& keys,
                            Done<v1::ListUpscalersResponse> done) {
  Call<v1::ListUpscalersRequest, v1::ListUpscalersResponse>(
      keys, {}, std::move(done), [this](auto& call, auto ended) {
        upscaling_->async()->ListUpscalers(&call.context, &call.request,
                                           &call.answer, ended);
      });
}

void Backend::CreateJob(const CallerKeys& keys,
                        const v1::CreateJobRequest& request,
                        Done<v1::Job> done) {
  Call<v1::CreateJobRequest, v1::Job>(
      keys, request, std::move(done), [this](auto& call, auto ended) {
        jobs_->async()->CreateJob(&call.context, &call.request, &call.answer,
                                  ended);
      });
}

void Backend::GetJob(const CallerKeys& keys, const std::string& id,
                     Done<v1::Job> done) {
  v1::GetJobRequest request;
  request.set_id(id);
  Call<v1::GetJobRequest, v1::Job>(
      keys, request, std::move(done), [this](auto& call, auto ended) {
        jobs_->async()->GetJob(&call.context, &call.request, &call.answer,
                               ended);
      });
}

void Backend::ListJobs(const CallerKeys& keys,
                       const v1::ListJobsRequest& request,
                       Done<v1::ListJobsResponse> done) {
  Call<v1::ListJobsRequest, v1::ListJobsResponse>(
      keys, request, std::move(done), [this](auto& call, auto ended) {
        jobs_->async()->ListJobs(&call.context, &call.request, &call.answer,
                                 ended);
      });
}

void Backend::CancelJob(const CallerKeys& keys, const std::string& id,
                        Done<v1::Job> done) {
  v1::CancelJobRequest request;
  request.set_id(id);
  Call<v1::CancelJobRequest, v1::Job>(
      keys, request, std::move(done), [this](auto& call, auto ended) {
        jobs_->async()->CancelJob(&call.context, &call.request, &call.answer,
                                  ended);
      });
}

}  // namespace genzo
