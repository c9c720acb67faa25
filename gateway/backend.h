#ifndef GENZO_GATEWAY_BACKEND_H_
#define GENZO_GATEWAY_BACKEND_H_

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "gateway/http.h"
#include "genzo/v1/image_generation.grpc.pb.h"
#include "genzo/v1/jobs.grpc.pb.h"
#include "genzo/v1/lora_registry.grpc.pb.h"
#include "genzo/v1/model_registry.grpc.pb.h"
#include "genzo/v1/scoring.grpc.pb.h"
#include "genzo/v1/upscaling.grpc.pb.h"
#include "grpcpp/channel.h"

namespace genzo {

// What is passed on of who calls.
struct CallerKeys {
  std::string authorization;  // "Bearer ..."; empty: none
  std::string tenant;         // x-genzo-tenant
  // Say nothing of who it is.
  std::string traceparent;  // W3C's
  std::string request_id;   // x-request-id
  std::string peer;         // its address
  bool operator<(const CallerKeys& other) const {
    return std::tie(authorization, tenant) <
           std::tie(other.authorization, other.tenant);
  }
};
// x-api-key stands for a bearer key. Of HTTP's basic authentication the
// password is the key. What gRPC cannot carry is left out.
CallerKeys KeysOf(const HttpRequest& request);

// Held while an event is worked on: the next is read once the last copy is
// dropped. So a slow client slows its stream down and nothing piles up.
using EventTurn = std::shared_ptr<void>;

// Who takes a stream's events. Called on gRPC's threads, one at a time.
struct StreamListener {
  std::function<void(v1::JobEvent event, EventTurn turn)> on_event;
  std::function<void(const absl::Status& status)> on_end;  // exactly once
};

// Ends a stream early; its end still comes. May be called at any time, also
// after the stream's end, any number of times, on any thread.
using CancelStream = std::function<void()>;

// The service behind the door, as asynchronous calls that carry the caller's
// keys. Pictures that came in pieces are whole. Thread-safe.
class Backend {
 public:
  explicit Backend(std::shared_ptr<grpc::Channel> channel);
  // Cancels every call and waits until nothing of any is left.
  ~Backend();

  CancelStream Generate(const CallerKeys& keys,
                        const v1::GenerateRequest& request,
                        StreamListener reader);
  CancelStream Upscale(const CallerKeys& keys,
                       const v1::UpscaleRequest& request,
                       StreamListener reader);
  CancelStream Watch(const CallerKeys& keys, const v1::WatchJobRequest& request,
                     StreamListener reader);

  template <typename Answer>
  using Done = std::function<void(absl::StatusOr<Answer>)>;
  void ListModels(const CallerKeys& keys, Done<v1::ListModelsResponse> done);
  // As many as an answer has room for.
  void ListLoras(const CallerKeys& keys,
                 Done<v1::LoraRegistryListResponse> done);
  void ListLoras(const CallerKeys& keys,
                 const v1::LoraRegistryListRequest& request,
                 Done<v1::LoraRegistryListResponse> done);
  void ListUpscalers(const CallerKeys& keys,
                     Done<v1::ListUpscalersResponse> done);
  void ListScorers(const CallerKeys& keys, Done<v1::ListScorersResponse> done);
  void Score(const CallerKeys& keys, const v1::ScoreRequest& request,
             Done<v1::ScoreResponse> done);
  void CreateJob(const CallerKeys& keys, const v1::CreateJobRequest& request,
                 Done<v1::Job> done);
  void GetJob(const CallerKeys& keys, const std::string& id,
              Done<v1::Job> done);
  void ListJobs(const CallerKeys& keys, const v1::ListJobsRequest& request,
                Done<v1::ListJobsResponse> done);
  void CancelJob(const CallerKeys& keys, const std::string& id,
                 Done<v1::Job> done);

 private:
  class Stream;
  template <typename Request, typename Answer>
  struct Unary;
  template <typename Request, typename Answer, typename Start>
  void Call(const CallerKeys& keys, const Request& request, Done<Answer> done,
            Start start);
  CancelStream Launch(const CallerKeys& keys, StreamListener reader,
                      const std::function<void(Stream&)>& start);
  // A call's context; the backend outlives it. It holds the channel, whose last
  // holder must not let go on a thread of gRPC's: the channel waits for these
  // threads to end.
  std::shared_ptr<grpc::ClientContext> NewContext(const CallerKeys& keys);
  void Released(uint64_t call);

  const std::shared_ptr<grpc::Channel> channel_;
  const std::unique_ptr<v1::ImageGeneration::Stub> images_;
  const std::unique_ptr<v1::Jobs::Stub> jobs_;
  const std::unique_ptr<v1::ModelRegistry::Stub> models_;
  const std::unique_ptr<v1::LoraRegistry::Stub> loras_;
  const std::unique_ptr<v1::Upscaling::Stub> upscaling_;
  const std::unique_ptr<v1::PictureScoring::Stub> scoring_;
  absl::Mutex mutex_;
  uint64_t calls_ ABSL_GUARDED_BY(mutex_) = 0;
  std::map<uint64_t, std::weak_ptr<grpc::ClientContext>> live_
      ABSL_GUARDED_BY(mutex_);  // by number of call
};

}  // namespace genzo

#endif  // GENZO_GATEWAY_BACKEND_H_
