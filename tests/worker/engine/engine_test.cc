// The step loop on a fake pipeline of one-element tensors, with a fake clock
// that moves with every evaluation.

#include "worker/engine/engine.h"

#include <array>
#include <new>
#include <stdexcept>
#include <thread>

#include "absl/algorithm/container.h"
#include "absl/synchronization/notification.h"
#include "base/proto_time.h"
#include "queue/memory_job_queue.h"
#include "tests/testing/event_record.h"
#include "tests/testing/fake_clock.h"
#include "tests/testing/fake_pipeline.h"
#include "tests/testing/matchers.h"
#include "tests/testing/test_folder.h"
#include "worker/residency/step_profile.h"

namespace genzo {
namespace {

using ::testing::Contains;
using ::testing::Each;
using ::testing::ElementsAre;
using ::testing::Ge;
using ::testing::IsEmpty;
using ::testing::SizeIs;

// What became of one job.
struct Outcome {
  v1::Ended ended;
  std::vector<int> images;  // indices, in the order in which they came
  std::vector<int> failed;
  std::vector<int> steps;  // of `progress`, in order
  int started = 0;
  absl::Status status() const { return StatusOf(ended); }
};

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
    request.mutable_output()->set_quality(90);
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
  v1::HiresPass hires_;      // of what is submitted; no width: none
  bool working_ = false;
  bool stays_open_ = false;
  int jobs_ = 0;
  std::map<std::string, std::shared_ptr<EventRecord>> records_;
};

TEST_F(EngineTest, PaintsWhatWasAsked) {
  const std::string id = Submit(/*prompt=*/7, /*steps=*/3, /*images=*/2);
  Work();
  const Outcome outcome = OutcomeOf(id);
  EXPECT_THAT(outcome.status(), IsOk());
  EXPECT_EQ(outcome.started, 1);
  EXPECT_THAT(outcome.images, ::testing::UnorderedElementsAre(0, 1));
  EXPECT_EQ(outcome.ended.steps_run(), 6u);
  EXPECT_THAT(
      behaviour_.evaluations,
      ElementsAre(ElementsAre(7, 7), ElementsAre(7, 7), ElementsAre(7, 7)));
}

TEST_F(EngineTest, StagesFollowOneAnother) {
  behaviour_.stages = 2;
  const std::string id = Submit(7, /*steps=*/3);
  Work();
  const Outcome outcome = OutcomeOf(id);
  EXPECT_THAT(outcome.status(), IsOk());
  EXPECT_THAT(outcome.steps, ElementsAre(1, 2, 3, 4, 5, 6));
  EXPECT_THAT(outcome.images, ElementsAre(0));
}

TEST_F(EngineTest, JobsShareEvaluationsAndLeaveWhenTheyAreDone) {
  Submit(1, /*steps=*/1);
  Submit(2, /*steps=*/3);
  Work();
  ASSERT_THAT(behaviour_.evaluations, SizeIs(3));
  EXPECT_THAT(behaviour_.evaluations[0], SizeIs(2));
  EXPECT_THAT(behaviour_.evaluations[1], ElementsAre(2));
  EXPECT_THAT(behaviour_.evaluations[2], ElementsAre(2));
}

TEST_F(EngineTest, NoMoreRunsAreLiveThanThereAreRows) {
  for (int i = 0; i < 6; ++i) Submit(i + 1, /*steps=*/2);
  Work();
  size_t rows = 0;
  for (const auto& prompts : behaviour_.evaluations) {
    EXPECT_LE(prompts.size(), 4u);
    rows += prompts.size();
  }
  EXPECT_EQ(rows, 12u);
}

TEST_F(EngineTest, CancelledAtAnyStepAJobLeavesAtTheNext) {
  for (int step = 1; step <= 4; ++step) {
    queue_ = NewQueue();
    const std::string id = Submit(1, /*steps=*/4, /*images=*/2);
    const std::string other = Submit(2, /*steps=*/4);
    int evaluation = 0;
    hook_ = [&](const std::vector<double>&) {
      if (++evaluation == step) queue_->Cancel(id);
    };
    Work();
    EXPECT_EQ(OutcomeOf(other).ended.state(), v1::JOB_STATE_SUCCEEDED);
    const Outcome outcome = OutcomeOf(id);
    // In the last evaluation it is too late: its pictures may be on their way.
    if (step < 4) {
      EXPECT_EQ(outcome.ended.state(), v1::JOB_STATE_CANCELLED) << step;
      for (size_t i = step; i < behaviour_.evaluations.size(); ++i) {
        EXPECT_THAT(behaviour_.evaluations[i], Each(2)) << step;
      }
    }
    EXPECT_FALSE(behaviour_.evaluations.empty());
  }
}

TEST_F(EngineTest, AJobPastItsLimitLeavesAtTheNextStep) {
  const std::string id = Submit(1, /*steps=*/50, /*images=*/1, "a",
                                /*limit=*/absl::Seconds(30));
  hook_ = [&](const std::vector<double>&) {
    if (behaviour_.evaluations.size() == 3) clock_.Advance(absl::Minutes(1));
  };
  Work();
  EXPECT_EQ(OutcomeOf(id).ended.state(), v1::JOB_STATE_EXPIRED);
  EXPECT_THAT(behaviour_.evaluations, SizeIs(4));
}

TEST_F(EngineTest, OneBadRunEndsItselfAlone) {
  const std::string good = Submit(1, /*steps=*/3);
  const std::string bad = Submit(13, /*steps=*/3);
  const std::string other = Submit(2, /*steps=*/3);
  hook_ = [&](const std::vector<double>& prompts) {
    for (double prompt : prompts) {
      if (prompt == 13) throw std::runtime_error("thirteen");
    }
  };
  Work();
  EXPECT_THAT(OutcomeOf(good).status(), IsOk());
  EXPECT_THAT(OutcomeOf(other).status(), IsOk());
  EXPECT_THAT(OutcomeOf(bad).status(),
              StatusIs(absl::StatusCode::kInternal, "thirteen"));
}

TEST_F(EngineTest, ValuesThatAreNotFiniteEndTheirImageAlone) {
  const std::string good = Submit(1, /*steps=*/2);
  const std::string bad = Submit(13, /*steps=*/2);
  behaviour_.prediction = [](double prompt) {
    return prompt == 13 ? std::nan("") : 1.0;
  };
  Work();
  EXPECT_THAT(OutcomeOf(good).status(), IsOk());
  EXPECT_EQ(ErrorReason(OutcomeOf(bad).status()), "NOT_FINITE");
}

TEST_F(EngineTest, OutOfMemoryRunsAreTriedAgainFewerAtATime) {
  std::vector<std::string> ids;
  for (int i = 1; i <= 4; ++i) ids.push_back(Submit(i, /*steps=*/3));
  std::vector<size_t> tried;
  hook_ = [&](const std::vector<double>& prompts) {
    tried.push_back(prompts.size());
    if (prompts.size() > 2) throw std::bad_alloc();
  };
  Work();
  for (const std::string& id : ids) {
    EXPECT_THAT(OutcomeOf(id).status(), IsOk());
  }
  EXPECT_THAT(tried, Contains(4u));
  EXPECT_EQ(std::count(tried.begin(), tried.end(), 4u), 1) << "learned";
}

TEST_F(EngineTest, AJobThatDoesNotFitAloneFails) {
  const std::string id = Submit(1, /*steps=*/3);
  hook_ = [](const std::vector<double>&) { throw std::bad_alloc(); };
  Work();
  EXPECT_THAT(OutcomeOf(id).status(),
              StatusIs(absl::StatusCode::kResourceExhausted, ""));
}

// Its request's size fits; what it grows to does not.
TEST_F(EngineTest, AJobWhoseSecondPassDoesNotFitIsRefused) {
  StepProfile profile;
  profile.costs = StepCosts({{1, absl::Milliseconds(10)}});
  profile.activation_bytes = 1 << 18;  // of 8x8; the device has 1 << 20
  Profile(profile);
  const std::string small = Submit(1, /*steps=*/2);
  hires_.set_width(24);
  hires_.set_height(24);
  hires_.set_steps(2);
  hires_.set_strength(1);
  const std::string large = Submit(2, /*steps=*/2);
  Work();
  EXPECT_THAT(OutcomeOf(small).status(), IsOk());
  EXPECT_EQ(ErrorReason(OutcomeOf(large).status()), "DOES_NOT_FIT");
  EXPECT_THAT(behaviour_.evaluations, Each(Each(1)));
}

TEST_F(EngineTest, ATextThatCannotBeEncodedFailsItsJobAlone) {
  const std::string good = Submit(1, /*steps=*/2);
  const std::string bad = Submit(13, /*steps=*/2);
  behaviour_.before_encoding = [](const v1::GenerateRequest& request) {
    if (request.prompt() == "13") throw std::runtime_error("unreadable");
  };
  Work();
  EXPECT_THAT(OutcomeOf(good).status(), IsOk());
  EXPECT_THAT(OutcomeOf(bad).status(),
              StatusIs(absl::StatusCode::kInternal, "unreadable"));
}

TEST_F(EngineTest, AJobOfAModelThatFailedHearsWhy) {
  broken_ = "b";
  const std::string good = Submit(1, /*steps=*/2, /*images=*/1, "a");
  const std::string bad = Submit(2, /*steps=*/2, /*images=*/1, "b");
  Work();
  EXPECT_THAT(OutcomeOf(good).status(), IsOk());
  EXPECT_EQ(ErrorReason(OutcomeOf(bad).status()), "MODEL_FAILED");
}

TEST_F(EngineTest, ModelsDoNotShareEvaluations) {
  Submit(1, /*steps=*/2, /*images=*/1, "a");
  Submit(2, /*steps=*/2, /*images=*/1, "b");
  Work();
  EXPECT_THAT(behaviour_.evaluations, SizeIs(4));
  EXPECT_THAT(behaviour_.evaluations, Each(SizeIs(1)));
}

TEST_F(EngineTest, WhatIsSubmittedMeanwhileJoinsAtTheNextStep) {
  Submit(1, /*steps=*/4);
  stays_open_ = true;
  hook_ = [&](const std::vector<double>&) {
    if (jobs_ > 1) return;
    Submit(2, /*steps=*/2);
    queue_->Close();
  };
  Work();
  EXPECT_THAT(behaviour_.evaluations, ElementsAre(ElementsAre(1), SizeIs(2),
                                                  SizeIs(2), ElementsAre(1)));
}

// All evaluations fail, and so does every probe that the fake device cannot
// tell: here the CPU is sound, so runs fail and the device stays.
TEST_F(EngineTest, ASoundDeviceIsNotBlamedForItsRuns) {
  const std::string bad = Submit(13, /*steps=*/3);
  const std::string good = Submit(1, /*steps=*/3);
  int failures = 0;
  hook_ = [&](const std::vector<double>& prompts) {
    for (double prompt : prompts) {
      if (prompt != 13) continue;
      ++failures;
      throw std::runtime_error("always");
    }
  };
  Work();
  EXPECT_EQ(failures, 2) << "together, and alone";
  EXPECT_THAT(OutcomeOf(good).status(), IsOk());
  EXPECT_EQ(ErrorReason(OutcomeOf(bad).status()), "EVALUATION_FAILED");
}

TEST_F(EngineTest, AFloodDoesNotKeepOthersWaiting) {
  config_.max_live_runs = 2;
  config_.max_batch_rows = 2;
  tenant_ = "flood";
  for (int i = 0; i < 12; ++i) Submit(1, /*steps=*/60);
  stays_open_ = true;
  hook_ = [&](const std::vector<double>&) {
    if (behaviour_.evaluations.size() != 5) return;
    tenant_ = "light";
    Submit(2, /*steps=*/3);
    queue_->Close();
  };
  Work();
  size_t last = 0;
  for (size_t i = 0; i < behaviour_.evaluations.size(); ++i) {
    const auto& prompts = behaviour_.evaluations[i];
    if (absl::c_linear_search(prompts, 2)) last = i;
  }
  EXPECT_GT(last, 5u);
  EXPECT_LE(last, 10u);
  EXPECT_GT(behaviour_.evaluations.size(), 300u);
}

// The flood has all places: whoever has one picture may still have another.
TEST_F(EngineTest, AFloodLeavesATenantItsShareOfTheLiveRuns) {
  config_.max_live_runs = 4;
  tenant_ = "flood";
  for (int i = 0; i < 8; ++i) Submit(1, /*steps=*/150);
  stays_open_ = true;
  std::string second;
  size_t joined = 0;  // the evaluation before the second was submitted
  hook_ = [&](const std::vector<double>& prompts) {
    const size_t done = behaviour_.evaluations.size();
    tenant_ = "light";
    if (done == 5) Submit(2, /*steps=*/150);
    if (!second.empty() || !absl::c_linear_search(prompts, 2)) return;
    second = Submit(3, /*steps=*/2);
    joined = done;
    queue_->Close();
  };
  Work();
  EXPECT_THAT(OutcomeOf(second).status(), IsOk());
  size_t last = 0;
  for (size_t i = 0; i < behaviour_.evaluations.size(); ++i) {
    if (absl::c_linear_search(behaviour_.evaluations[i], 3)) last = i;
  }
  EXPECT_LE(last, joined + 10);
}

// The model can be loaded only once the one that it replaces is done.
TEST_F(EngineTest, AFloodForAModelThatIsNotLoadedLeavesTheLoadedOnesFree) {
  model_bytes_ = 400'000;           // two of the three fit
  config_.models[1].pinned = true;  // so that the busy one must leave
  config_.models.push_back({.id = "c", .path = "c"});
  config_.max_live_runs = 4;
  const std::string busy = Submit(1, /*steps=*/200, /*images=*/1, "a");
  stays_open_ = true;
  std::vector<std::string> flood;
  std::string light;
  hook_ = [&](const std::vector<double>&) {
    const size_t done = behaviour_.evaluations.size();
    while (done == 5 && flood.size() < 8) {
      flood.push_back(Submit(3, /*steps=*/2, /*images=*/1, "c"));
    }
    if (done == 10) light = Submit(2, /*steps=*/2, /*images=*/1, "b");
    if (done != 50) return;
    queue_->Cancel(busy);
    queue_->Close();
  };
  Work();
  EXPECT_THAT(OutcomeOf(light).status(), IsOk());
  for (const std::string& id : flood) {
    EXPECT_THAT(OutcomeOf(id).status(), IsOk());
  }
  for (size_t i = 0; i < behaviour_.evaluations.size(); ++i) {
    const auto& prompts = behaviour_.evaluations[i];
    EXPECT_FALSE(i > 15 && absl::c_linear_search(prompts, 2)) << i;
    EXPECT_FALSE(i < 50 && absl::c_linear_search(prompts, 3)) << i;
  }
}

// Neither evaluates before the other has a job, so one alone could not end.
TEST_F(EngineTest, TwoDevicesShareTheQueue) {
  load_.backlog().SetDevices(2);
  config_.max_live_runs = 1;
  const std::string a = Submit(1, /*steps=*/1);
  const std::string b = Submit(2, /*steps=*/1);
  std::array<absl::Notification, 2> evaluates;
  const auto work = [&](int index) {
    FakeBehaviour behaviour;
    bool working = false;
    behaviour.before_evaluation = [&](const std::vector<double>&) {
      if (!std::exchange(working, false)) return;
      evaluates[index].Notify();
      evaluates[1 - index].WaitForNotification();
    };
    const ModelSource source = {
        .bytes = [](const ModelFiles&) { return int64_t{1}; },
        .load = [&](const ModelFiles&) -> absl::StatusOr<ModelRef> {
          return std::make_shared<FakePipeline>(behaviour);
        }};
    Engine engine(config_,
                  {.index = index, .placement = {}, .memory_bytes = 1 << 20},
                  {*queue_, load_, catalog_, metrics_, clock_,
                   [&](const Placement&) { return source; }},
                  EncodeStage::Where::kCaller);
    engine.Work([&] {
      working = true;
      queue_->Close();
    });
  };
  std::thread other(work, 1);
  work(0);
  other.join();
  EXPECT_THAT(OutcomeOf(a).status(), IsOk());
  EXPECT_THAT(OutcomeOf(b).status(), IsOk());
}

// As many images as it takes until nobody believes its probes any more.
TEST_F(EngineTest, AnotherDeviceGoesOnWhereABrokenOneStood) {
  constexpr int kImages = DeviceHealth::kHopeless;
  load_.backlog().SetDevices(2);
  StepProfile profile;
  profile.costs = StepCosts(
      {{1, absl::Milliseconds(10)}, {kImages, absl::Milliseconds(10)}});
  Profile(profile);
  config_.max_live_runs = config_.max_batch_rows = kImages;
  const std::string id = Submit(7, /*steps=*/5, kImages);
  FakeBehaviour breaks;
  bool working = false;
  breaks.before_evaluation = [&](const std::vector<double>&) {
    clock_.Advance(absl::Milliseconds(10));
    if (working && breaks.evaluations.size() == 2) {
      throw std::runtime_error("broken");
    }
  };
  const ModelSource source = {
      .bytes = [](const ModelFiles&) { return int64_t{1}; },
      .load = [&](const ModelFiles&) -> absl::StatusOr<ModelRef> {
        return std::make_shared<FakePipeline>(breaks);
      }};
  absl::Notification taken_out;
  EngineDependencies dependencies = {
      *queue_,  load_,  catalog_,
      metrics_, clock_, [&](const Placement&) { return source; }};
  dependencies.on_health = [&](bool usable) {
    if (!usable) taken_out.Notify();
  };
  Engine broken(config_, {.index = 1, .placement = {}, .memory_bytes = 1 << 20},
                dependencies, EncodeStage::Where::kCaller);
  std::thread device([&] {
    broken.Work([&] {
      breaks.evaluations.clear();
      working = true;
    });
  });
  taken_out.WaitForNotification();
  stays_open_ = true;
  hook_ = [&](const std::vector<double>&) { queue_->Close(); };
  Work();
  broken.Stop();
  device.join();
  EXPECT_THAT(behaviour_.evaluations, SizeIs(3)) << "of five steps";
  EXPECT_THAT(behaviour_.evaluations, Each(SizeIs(kImages)));
  const auto pictures_of = [this](const std::string& job) {
    std::vector<std::string> pictures;
    v1::Ended ended;
    while (auto event = records_.at(job)->Take()) {
      if (event->has_image()) {
        pictures.push_back(event->image().picture().data());
      }
      if (event->has_ended()) ended = event->ended();
    }
    return std::pair(pictures, ended);
  };
  const auto [pictures, ended] = pictures_of(id);
  EXPECT_EQ(ended.state(), v1::JOB_STATE_SUCCEEDED);
  EXPECT_EQ(ended.steps_run(), 5u * kImages);
  EXPECT_THAT(pictures, SizeIs(kImages));
  // One that was never disturbed has the same bits.
  queue_ = NewQueue();
  hook_ = nullptr;
  stays_open_ = false;
  const std::string calm = Submit(7, /*steps=*/5);
  Work();
  const auto calm_pictures = pictures_of(calm).first;
  ASSERT_THAT(calm_pictures, SizeIs(1));
  EXPECT_THAT(pictures, Each(calm_pictures[0]));
}

TEST_F(EngineTest, ACheckpointThatDoesNotFitIsForgotten) {
  const std::string id = Submit(7, /*steps=*/3);
  queue_->Take({})->Checkpoint("nonsense");
  Work();
  EXPECT_EQ(OutcomeOf(id).ended.steps_run(), 3u);
  EXPECT_THAT(behaviour_.evaluations, SizeIs(3));
}

}  // namespace
}  // namespace genzo
