#ifndef GENZO_TESTS_TESTING_FRONT_END_RIG_H_
#define GENZO_TESTS_TESTING_FRONT_END_RIG_H_

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/errors.h"
#include "genzo/v1/image_generation.grpc.pb.h"
#include "genzo/v1/jobs.grpc.pb.h"
#include "genzo/v1/model_admin.grpc.pb.h"
#include "genzo/v1/model_registry.grpc.pb.h"
#include "grpcpp/create_channel.h"
#include "queue/memory_job_queue.h"
#include "queue/pool_load.h"
#include "queue/pool_view.h"
#include "server/front_end.h"
#include "tests/testing/fake_clock.h"

namespace genzo {

// A front end on real sockets whose worker is the test: it takes jobs from
// `queue()` and says what becomes of them. One model, "tiny", of 64x64 pixels.
class FrontEndRig : private ModelControl {
 public:
  explicit FrontEndRig(const FrontEndOptions& options = {}, int capacity = 16)
      : queue_(capacity, clock_, metrics_, load_) {
    v1::Model model;
    model.set_id("tiny");
    model.set_state(v1::Model::STATE_RESIDENT);
    model.set_default_width(64);
    model.set_default_height(64);
    model.mutable_limits()->set_min_side(8);
    model.mutable_limits()->set_max_side(1024);
    model.mutable_limits()->set_size_multiple(8);
    model.mutable_limits()->set_max_steps(100);
    model.mutable_limits()->set_max_image_count(4);
    model.set_default_sampler(v1::SAMPLER_DDIM);
    model.add_samplers()->set_sampler(v1::SAMPLER_DDIM);
    catalog_.Put(model);
    model.set_id("large");
    catalog_.Put(model);
    // Twenty steps of 512x512 take three seconds.
    pool_.speeds().SetSpeed(0, "tiny",
                            {.costs = StepCosts({{2, absl::Milliseconds(150)}}),
                             .own_pixels = 512 * 512,
                             .largest_batch = 2});
    auto front_end =
        FrontEnd::Start("127.0.0.1:0", options,
                        {queue_, catalog_, metrics_, clock_, *this,
                         [&] { return MakePoolView(pool_, clock_); }});
    started_ = front_end.status();
    if (!front_end.ok()) return;
    front_end_ = *std::move(front_end);
    front_end_->SetServing(true);
  }
  ~FrontEndRig() {
    if (front_end_ == nullptr) return;
    queue_.Close();
    queue_.CancelAll();
    front_end_->Shutdown(absl::ZeroDuration());
  }

  const absl::Status& started() const { return started_; }
  std::string address() const {
    return "127.0.0.1:" + std::to_string(front_end_->port());
  }
  std::shared_ptr<grpc::Channel> Channel() const {
    return grpc::CreateChannel(address(), grpc::InsecureChannelCredentials());
  }
  FrontEnd& front_end() { return *front_end_; }
  MemoryJobQueue& queue() { return queue_; }
  FakeClock& clock() { return clock_; }

  // As a worker: posts an image and ends the job well.
  static void Paint(JobLease& lease, const std::string& picture = "picture") {
    v1::JobEvent event;
    event.mutable_started();
    lease.Post(event);
    event.mutable_image()->mutable_picture()->set_data(picture);
    lease.Post(event);
    lease.End(EndedBy(absl::OkStatus()));
  }

 private:
  void Load(const std::string&, std::optional<bool>, Done done) override {
    done(absl::OkStatus());
  }
  void Unload(const std::string&, Done done) override {
    done(absl::OkStatus());
  }

  FakeClock clock_;
  Metrics metrics_;
  ModelCatalog catalog_{"tiny"};
  PoolLoad pool_;  // as the front end sees it
  PoolLoad load_;
  MemoryJobQueue queue_;
  absl::Status started_;
  std::unique_ptr<FrontEnd> front_end_;
};

// What a call's status says, with its details.
inline absl::Status DetailsOf(const grpc::Status& status) {
  if (status.error_details().empty()) {  // gRPC's own have none
    return absl::Status(static_cast<absl::StatusCode>(status.error_code()),
                        status.error_message());
  }
  google::rpc::Status details;
  details.ParseFromString(status.error_details());
  return FromRpcStatus(details);
}
inline std::string ReasonOf(const grpc::Status& status) {
  return ErrorReason(DetailsOf(status));
}

}  // namespace genzo

#endif  // GENZO_TESTS_TESTING_FRONT_END_RIG_H_
