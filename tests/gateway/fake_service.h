#ifndef GENZO_TESTS_GATEWAY_FAKE_SERVICE_H_
#define GENZO_TESTS_GATEWAY_FAKE_SERVICE_H_

#include <functional>
#include <map>
#include <memory>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "base/errors.h"
#include "genzo/v1/image_generation.grpc.pb.h"
#include "genzo/v1/jobs.grpc.pb.h"
#include "genzo/v1/lora_registry.grpc.pb.h"
#include "genzo/v1/model_registry.grpc.pb.h"
#include "genzo/v1/scoring.grpc.pb.h"
#include "genzo/v1/upscaling.grpc.pb.h"
#include "grpcpp/server.h"
#include "grpcpp/server_builder.h"

namespace genzo {

// The gRPC service as a door sees it: paints two steps with a preview after
// each preview step that was asked for, at once, or does what a test says.
class FakeService : public v1::ImageGeneration::Service,
                    public v1::Jobs::Service,
                    public v1::ModelRegistry::Service,
                    public v1::LoraRegistry::Service,
                    public v1::Upscaling::Service,
                    public v1::PictureScoring::Service {
 public:
  using Writer = grpc::ServerWriter<v1::JobEvent>;
  using Script = std::function<grpc::Status(
      grpc::ServerContext&, const v1::GenerateRequest&, Writer&)>;

  // Besides in the process, on a port if there are credentials.
  explicit FakeService(
      const std::shared_ptr<grpc::ServerCredentials>& credentials = nullptr) {
    grpc::ServerBuilder builder;
    if (credentials != nullptr) {
      builder.AddListeningPort("127.0.0.1:0", credentials, &port_);
    }
    builder.RegisterService(static_cast<v1::ImageGeneration::Service*>(this));
    builder.RegisterService(static_cast<v1::Jobs::Service*>(this));
    builder.RegisterService(static_cast<v1::ModelRegistry::Service*>(this));
    builder.RegisterService(static_cast<v1::LoraRegistry::Service*>(this));
    builder.RegisterService(static_cast<v1::Upscaling::Service*>(this));
    builder.RegisterService(static_cast<v1::PictureScoring::Service*>(this));
    server_ = builder.BuildAndStart();
  }

  std::shared_ptr<grpc::Channel> Channel() {
    return server_->InProcessChannel({});
  }
  int port() const { return port_; }

  // What Generate does instead.
  void Do(Script script) {
    const absl::MutexLock lock(&mutex_);
    script_ = std::move(script);
  }
  // What Upscale does instead.
  using UpscaleScript =
      std::function<grpc::Status(grpc::ServerContext&, Writer&)>;
  void DoUpscale(UpscaleScript script) {
    const absl::MutexLock lock(&mutex_);
    upscale_script_ = std::move(script);
  }
  // Refuses every call.
  void Refuse(const absl::Status& status) {
    Do([status](grpc::ServerContext&, const v1::GenerateRequest&, Writer&) {
      return ToGrpc(status);
    });
  }

  // Refuses ListModels, unless OK.
  void RefuseLists(const absl::Status& status) {
    const absl::MutexLock lock(&mutex_);
    lists_ = status;
  }
  // Refuses CreateJob, unless OK.
  void RefuseJobs(const absl::Status& status) {
    const absl::MutexLock lock(&mutex_);
    new_jobs_ = status;
  }
  // The last job that was cancelled, or "".
  std::string cancelled() const {
    const absl::MutexLock lock(&mutex_);
    return cancelled_;
  }
  // As above; waits for one.
  std::string AwaitCancelled() const {
    const auto is_there = [this] {
      mutex_.AssertHeld();
      return !cancelled_.empty();
    };
    const absl::MutexLock lock(&mutex_, absl::Condition(&is_there));
    return cancelled_;
  }

  v1::GenerateRequest request() const {
    const absl::MutexLock lock(&mutex_);
    return request_;
  }
  v1::UpscaleRequest upscale() const {
    const absl::MutexLock lock(&mutex_);
    return upscale_;
  }
  v1::ScoreRequest score() const {
    const absl::MutexLock lock(&mutex_);
    return score_;
  }
  v1::LoraRegistryListRequest loras() const {
    const absl::MutexLock lock(&mutex_);
    return loras_;
  }
  v1::WatchJobRequest watch() const {
    const absl::MutexLock lock(&mutex_);
    return watch_;
  }
  // Metadata of the last call.
  std::string Metadata(const std::string& key) const {
    const absl::MutexLock lock(&mutex_);
    const auto found = metadata_.find(key);
    return found == metadata_.end() ? "" : found->second;
  }

  static grpc::Status ToGrpc(const absl::Status& status) {
    const google::rpc::Status details = ToRpcStatus(status);
    return grpc::Status(static_cast<grpc::StatusCode>(details.code()),
                        details.message(), details.SerializeAsString());
  }

  static void Paint(const v1::GenerateRequest& request, Writer& writer) {
    uint64_t sequence = 0;
    const auto write = [&](v1::JobEvent event) {
      event.set_job_id("0123456789abcdef0123456789abcdef");
      event.set_sequence(++sequence);
      writer.Write(event);
    };
    v1::JobEvent event;
    event.mutable_queued();
    write(event);
    auto& resolved = *event.mutable_started()->mutable_resolved();
    resolved = request;
    resolved.set_steps(request.has_steps() ? request.steps() : 20);
    resolved.set_image_count(std::max(1u, request.image_count()));
    resolved.set_model("emaki");
    resolved.set_sampler(v1::SAMPLER_DDIM);
    const v1::GenerateRequest plan = resolved;
    write(event);
    for (uint32_t i = 0; i < plan.image_count(); ++i) {
      for (const uint32_t step : plan.preview().steps()) {
        event.mutable_progress()->set_step(step);
        event.mutable_progress()->set_steps(plan.steps());
        event.mutable_progress()->set_image_index(i);
        write(event);
        event.mutable_preview()->set_image_index(i);
        event.mutable_preview()->set_step(step);
        Fill(*event.mutable_preview()->mutable_picture(), "look");
        write(event);
      }
      if (i == 0 && plan.safety_policy() == v1::SAFETY_POLICY_REFUSE) {
        event.mutable_image_withheld()->set_safety("nsfw");
        write(event);
        continue;
      }
      event.mutable_image()->set_image_index(i);
      event.mutable_image()->set_seed(plan.seed() + i);
      if (plan.guidance().text_gate_step() > 0) {
        event.mutable_image()->add_approximations("text_gate");
      }
      Fill(*event.mutable_image()->mutable_picture(), "done");
      write(event);
    }
    event.mutable_ended()->set_state(v1::JOB_STATE_SUCCEEDED);
    event.mutable_ended()->set_steps_run(plan.steps() * plan.image_count());
    write(event);
  }

  // --- the service -----------------------------------------------------------

  grpc::Status Generate(grpc::ServerContext* context,
                        const v1::GenerateRequest* request,
                        Writer* writer) override {
    Script script;
    {
      Note(*context);
      const absl::MutexLock lock(&mutex_);
      request_ = *request;
      script = script_;
    }
    if (script) return script(*context, *request, *writer);
    Paint(*request, *writer);
    return grpc::Status::OK;
  }

  grpc::Status List(grpc::ServerContext* context,
                    const v1::LoraRegistryListRequest* request,
                    v1::LoraRegistryListResponse* response) override {
    Note(*context);
    {
      const absl::MutexLock lock(&mutex_);
      loras_ = *request;
    }
    v1::Lora& lora = *response->add_loras();
    lora.set_name("ink");
    lora.set_family("sd1");
    lora.set_rank(16);
    if (!request->model().empty()) lora.add_models(request->model());
    response->add_loras()->set_name("broken");
    response->mutable_loras(1)->mutable_error()->set_code(3);
    return grpc::Status::OK;
  }

  grpc::Status ListModels(grpc::ServerContext* context,
                          const v1::ListModelsRequest*,
                          v1::ListModelsResponse* response) override {
    Note(*context);
    {
      const absl::MutexLock lock(&mutex_);
      if (!lists_.ok()) return ToGrpc(lists_);
    }
    v1::Model& model = *response->add_models();
    model.set_id("emaki");
    model.set_is_default(true);
    model.set_default_steps(20);
    model.add_preview_decoders(v1::PREVIEW_DECODER_TINY);
    model.add_request_fields("prompt_syntax");
    v1::Embedding& embedding = *model.add_embeddings();
    embedding.set_name("<castle>");
    embedding.set_vectors(2);
    embedding.set_width(768);
    model.add_controlnets("canny");
    model.add_ip_adapters("ip-adapter");
    auto* support = model.add_samplers();
    support->set_sampler(v1::SAMPLER_DPMPP_2M);
    support->add_schedules(v1::NOISE_SCHEDULE_KARRAS);
    model.add_samplers()->set_sampler(v1::SAMPLER_EULER_ANCESTRAL);
    v1::Model& other = *response->add_models();
    other.set_id("other");
    other.add_request_fields("image_guidance_scale");
    return grpc::Status::OK;
  }

  grpc::Status Upscale(grpc::ServerContext* context,
                       const v1::UpscaleRequest* request,
                       Writer* writer) override {
    Note(*context);
    UpscaleScript script;
    {
      const absl::MutexLock lock(&mutex_);
      upscale_ = *request;
      script = upscale_script_;
    }
    if (script) return script(*context, *writer);
    if (request->factor() > 16) {
      return ToGrpc(InvalidFieldsError({{"factor", "factor is too large"}}));
    }
    v1::JobEvent tile;
    tile.set_job_id("0123456789abcdef0123456789abcdef");
    tile.set_sequence(1);
    tile.mutable_progress()->set_step(1);
    tile.mutable_progress()->set_steps(2);
    writer->Write(tile);
    Paint({}, *writer);
    return grpc::Status::OK;
  }

  grpc::Status ListUpscalers(grpc::ServerContext*,
                             const v1::ListUpscalersRequest*,
                             v1::ListUpscalersResponse* response) override {
    v1::Upscaler& upscaler = *response->add_upscalers();
    upscaler.set_name("realesrgan-x4");
    upscaler.set_scale(4);
    return grpc::Status::OK;
  }

  grpc::Status ListScorers(grpc::ServerContext*, const v1::ListScorersRequest*,
                           v1::ListScorersResponse* response) override {
    v1::Scorer& scorer = *response->add_scorers();
    scorer.set_name("clip");
    scorer.set_reads_prompt(true);
    response->add_scorers()->set_name("aesthetic");
    return grpc::Status::OK;
  }

  grpc::Status Score(grpc::ServerContext*, const v1::ScoreRequest* request,
                     v1::ScoreResponse* response) override {
    if (request->scorer() == "none") {
      return ToGrpc(ErrorWithReason(absl::StatusCode::kNotFound,
                                    "SCORER_NOT_FOUND",
                                    "there is no \"none\""));
    }
    const absl::MutexLock lock(&mutex_);
    score_ = *request;
    for (int i = 0; i < request->pictures_size(); ++i) {
      response->add_scores()->set_score(i + 0.5);
    }
    return grpc::Status::OK;
  }

  grpc::Status CreateJob(grpc::ServerContext* context,
                         const v1::CreateJobRequest* request,
                         v1::Job* job) override {
    Note(*context);
    {
      const absl::MutexLock lock(&mutex_);
      request_ = request->request();
      if (!new_jobs_.ok()) return ToGrpc(new_jobs_);
    }
    if (request->validate_only()) return grpc::Status::OK;
    job->set_id("0123456789abcdef0123456789abcdef");
    job->set_state(v1::JOB_STATE_QUEUED);
    return grpc::Status::OK;
  }

  grpc::Status GetJob(grpc::ServerContext*, const v1::GetJobRequest* request,
                      v1::Job* job) override {
    if (request->id() == "unknown") {
      return ToGrpc(ErrorWithReason(absl::StatusCode::kNotFound, "JOB_UNKNOWN",
                                    "job \"unknown\" is not known"));
    }
    job->set_id(request->id());
    job->set_state(v1::JOB_STATE_SUCCEEDED);
    return grpc::Status::OK;
  }

  grpc::Status ListJobs(grpc::ServerContext*,
                        const v1::ListJobsRequest* request,
                        v1::ListJobsResponse* response) override {
    response->add_jobs()->set_id(request->page_token());
    return grpc::Status::OK;
  }

  grpc::Status CancelJob(grpc::ServerContext*,
                         const v1::CancelJobRequest* request,
                         v1::Job* job) override {
    {
      const absl::MutexLock lock(&mutex_);
      cancelled_ = request->id();
    }
    job->set_id(request->id());
    job->set_state(v1::JOB_STATE_CANCELLED);
    return grpc::Status::OK;
  }

  grpc::Status WatchJob(grpc::ServerContext*,
                        const v1::WatchJobRequest* request,
                        Writer* writer) override {
    {
      const absl::MutexLock lock(&mutex_);
      watch_ = *request;
    }
    Paint({}, *writer);
    return grpc::Status::OK;
  }

 private:
  static void Fill(v1::Picture& picture, const std::string& bytes) {
    picture.set_data(bytes);
    picture.set_media_type("image/png");
    picture.set_width(64);
    picture.set_height(48);
    picture.set_size_bytes(bytes.size());
  }

  void Note(const grpc::ServerContext& context) {
    const absl::MutexLock lock(&mutex_);
    metadata_.clear();
    for (const auto& [key, value] : context.client_metadata()) {
      metadata_[{key.data(), key.size()}] = {value.data(), value.size()};
    }
  }

  mutable absl::Mutex mutex_;
  Script script_ ABSL_GUARDED_BY(mutex_);
  UpscaleScript upscale_script_ ABSL_GUARDED_BY(mutex_);
  absl::Status lists_ ABSL_GUARDED_BY(mutex_);
  absl::Status new_jobs_ ABSL_GUARDED_BY(mutex_);
  std::string cancelled_ ABSL_GUARDED_BY(mutex_);
  v1::GenerateRequest request_ ABSL_GUARDED_BY(mutex_);
  v1::UpscaleRequest upscale_ ABSL_GUARDED_BY(mutex_);
  v1::ScoreRequest score_ ABSL_GUARDED_BY(mutex_);
  v1::LoraRegistryListRequest loras_ ABSL_GUARDED_BY(mutex_);
  v1::WatchJobRequest watch_ ABSL_GUARDED_BY(mutex_);
  std::map<std::string, std::string> metadata_ ABSL_GUARDED_BY(mutex_);
  int port_ = 0;
  std::unique_ptr<grpc::Server> server_;  // last: it calls the others
};

}  // namespace genzo

#endif  // GENZO_TESTS_GATEWAY_FAKE_SERVICE_H_
