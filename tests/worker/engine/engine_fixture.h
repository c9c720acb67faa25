#ifndef GENZO_TESTS_WORKER_ENGINE_ENGINE_FIXTURE_H_
#define GENZO_TESTS_WORKER_ENGINE_ENGINE_FIXTURE_H_

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/proto_time.h"
#include "queue/memory_job_queue.h"
#include "tests/testing/event_record.h"
#include "tests/testing/fake_clock.h"
#include "tests/testing/fake_pipeline.h"
#include "tests/testing/matchers.h"
#include "tests/testing/test_folder.h"
#include "worker/engine/engine.h"
#include "worker/residency/step_profile.h"

namespace genzo {

// What became of one job.
struct Outcome {
  v1::Ended ended;
  std::vector<int> images;  // indices, in the order in which they came
  std::vector<int> failed;
  std::vector<int> steps;  // of `progress`, in order
  int started = 0;
  absl::Status status() const { return StatusOf(ended); }
};

// The step loop on a fake pipeline of one-element tensors, with a fake clock
// that moves with every evaluation.
class EngineTest : public ::testing::Test {
 protected:
  EngineTest() {
    config_.models = {{.id = "a", .path = "a"}, {.id = "b", .path = "b"}};
    config_.default_model = "a";
    config_.profile_folder = folder_.path();
    config_.max_batch_rows = 4;
    config_.max_live_runs = 8;
    behaviour_.before_evaluation = [this](const std::vector<double>& prompts) {
      clock_.Advance(absl::Milliseconds(10));
      if (hook_ && working_) hook_(prompts);
    };
  }

  // Queues a job of `images` unguided images whose prompt is a number.
  std::string Submit(int prompt, int steps, int images = 1,
                     const std::string& model = "a",
                     absl::Duration limit = absl::InfiniteDuration()) {
    internal::v1::Job job;
    job.set_id(absl::StrCat("job-", ++jobs_));
    job.set_tenant(tenant_);
    job.set_rows_per_image(1);
    *job.mutable_accepted_at() = ToProto(clock_.Date());
    if (limit < absl::InfiniteDuration()) {
      *job.mutable_deadline() = ToProto(clock_.Date() + limit);
    }
    v1::GenerateRequest& request = *job.mutable_request();
    request.set_model(model);
    request.set_prompt(absl::StrCat(prompt));
    request.set_steps(steps);
    request.set_image_count(images);
    request.set_width(8);
    request.set_height(8);
    request.set_guidance_scale(1);
    request.set_priority(priority_);
    request.mutable_output()->set_quality(90);
    request.mutable_output()->set_upscaler(upscaler_);
    if (!lora_.empty()) request.add_loras()->set_name(lora_);
    if (hires_.width() > 0) *request.mutable_hires() = hires_;
    const std::string id = job.id();
    records_[id] = std::make_shared<EventRecord>();
    EXPECT_THAT(queue_->Submit(std::move(job), records_[id]), IsOk());
    return id;
  }

  // What was measured of "a" before.
  void Profile(const StepProfile& profile) {
    ProfileStore(folder_.path())
        .Write("a", ProfileKey("a", Placement{}, /*threads=*/1), profile);
  }

  // Paints all that was submitted, and what hooks submit meanwhile.
  void Work() {
    Engine engine(config_,
                  {.index = 0, .placement = {}, .memory_bytes = 1 << 20},
                  {*queue_, load_, catalog_, metrics_, clock_,
                   [this](const Placement&) { return Source(); }},
                  EncodeStage::Where::kCaller);
    engine.Work([this] {
      behaviour_.evaluations.clear();
      working_ = true;
      if (!stays_open_) queue_->Close();
    });
    working_ = false;
  }

  std::unique_ptr<MemoryJobQueue> NewQueue() {
    return std::make_unique<MemoryJobQueue>(/*capacity=*/32, clock_, metrics_,
                                            load_);
  }

  ModelSource Source() {
    return {
        .bytes = [this](const ModelFiles&) { return model_bytes_; },
        .load = [this](const ModelFiles& files) -> absl::StatusOr<ModelRef> {
          if (files.path == broken_) return absl::NotFoundError("no such file");
          return std::make_shared<FakePipeline>(behaviour_);
        }};
  }

  Outcome OutcomeOf(const std::string& id) {
    Outcome outcome;
    while (const auto event = records_.at(id)->Take()) {
      if (event->has_image()) {
        outcome.images.push_back(event->image().image_index());
      }
      if (event->has_image_failed()) {
        outcome.failed.push_back(event->image_failed().image_index());
      }
      if (event->has_progress()) {
        outcome.steps.push_back(event->progress().step());
      }
      if (event->has_started()) ++outcome.started;
      if (event->has_ended()) outcome.ended = event->ended();
    }
    return outcome;
  }

  const TestFolder folder_;
  Config config_;
  FakeClock clock_;
  Metrics metrics_;
  PoolLoad load_;
  ModelCatalog catalog_{"a"};
  std::unique_ptr<MemoryJobQueue> queue_ = NewQueue();
  FakeBehaviour behaviour_;
  std::function<void(const std::vector<double>& prompts)> hook_;
  std::string broken_;
  int64_t model_bytes_ = 1;  // of each; the device has 1 << 20
  std::string tenant_;       // of what is submitted
  v1::Priority priority_ = v1::PRIORITY_NORMAL;
  v1::HiresPass hires_;   // of what is submitted; no width: none
  std::string upscaler_;  // likewise; empty: none
  std::string lora_;      // likewise
  bool working_ = false;
  bool stays_open_ = false;
  int jobs_ = 0;
  std::map<std::string, std::shared_ptr<EventRecord>> records_;
};

}  // namespace genzo

#endif  // GENZO_TESTS_WORKER_ENGINE_ENGINE_FIXTURE_H_
