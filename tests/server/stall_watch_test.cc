#include "server/stall_watch.h"

#include "gtest/gtest.h"

namespace genzo {
namespace {

class StallWatchTest : public ::testing::Test {
 protected:
  std::string After(absl::Duration time, const StallWatch::Seen& seen) {
    now_ += time;
    return watch_.Look(seen, now_);
  }

  StallWatch watch_{absl::Seconds(60)};
  absl::Time now_ = absl::FromUnixSeconds(1000);
};

TEST_F(StallWatchTest, NoStepWhileWorkWaitsIsAStall) {
  EXPECT_EQ(After(absl::Seconds(1), {.evaluations = 5, .jobs = 3}), "");
  EXPECT_EQ(After(absl::Seconds(59), {.evaluations = 5, .jobs = 3}), "");
  EXPECT_EQ(After(absl::Seconds(1), {.evaluations = 5, .jobs = 3}),
            "no step for 60 s while 3 jobs wait or run");
  EXPECT_EQ(After(absl::Seconds(1), {.evaluations = 6, .jobs = 3}), "");
}

TEST_F(StallWatchTest, NothingToDoIsNone) {
  EXPECT_EQ(After(absl::Seconds(1), {.evaluations = 5}), "");
  EXPECT_EQ(After(absl::Hours(1), {.evaluations = 5}), "");
  // Counted from when there was something.
  EXPECT_EQ(After(absl::Seconds(1), {.evaluations = 5, .jobs = 1}), "");
  EXPECT_NE(After(absl::Seconds(60), {.evaluations = 5, .jobs = 1}), "");
}

TEST_F(StallWatchTest, AModelMayTakeLongToLoadButNotForEver) {
  const StallWatch::Seen loading = {.jobs = 1, .loading = true};
  EXPECT_EQ(After(absl::Seconds(1), loading), "");
  EXPECT_EQ(After(absl::Seconds(599), loading), "");
  EXPECT_EQ(After(absl::Seconds(1), loading),
            "no step for 600 s while 1 jobs wait or run, maybe for a model");
  // Once it is loaded, the first step has its time.
  EXPECT_EQ(After(absl::Seconds(1), {.jobs = 1}), "");
  EXPECT_NE(After(absl::Seconds(60), {.jobs = 1}), "");
}

TEST_F(StallWatchTest, ALongStepHasTenTimesWhatItWasPredictedToTake) {
  StallWatch::Seen seen = {.jobs = 1, .longest_step = absl::Seconds(12)};
  EXPECT_EQ(After(absl::Seconds(1), seen), "");
  EXPECT_EQ(After(absl::Seconds(119), seen), "");
  EXPECT_EQ(After(absl::Seconds(1), seen),
            "no step for 120 s while 1 jobs wait or run");
}

v1::Model ModelThatIs(const std::string& id, v1::Model::State state) {
  v1::Model model;
  model.set_id(id);
  model.set_state(state);
  return model;
}

// `device` took a job for `model`.
void Took(Backlog& backlog, const std::string& id, const std::string& model,
          int device) {
  BacklogJob job;
  job.id = id;
  job.demand.model = model;
  job.steps_left = {1};
  backlog.Add(job);
  backlog.Start(id, device, absl::Seconds(1));
}

class PoolStallWatchTest : public ::testing::Test {
 protected:
  ModelCatalog catalog_{"tiny"};
  Metrics metrics_;
  Backlog backlog_;
  absl::Time now_ = absl::FromUnixSeconds(1000);
};

TEST_F(PoolStallWatchTest, ADeviceThatHangsIsNamedWhileAnotherGoesOn) {
  PoolStallWatch watch({"cuda:0", "cuda:1"}, absl::Seconds(60));
  for (const char* device : {"cuda:0", "cuda:1"}) {
    metrics_.ForDevice(device).live_images.Set(1);
  }
  EXPECT_EQ(watch.Look(catalog_, metrics_, Backlog(), Backlog(), now_), "");
  for (int second = 1; second <= 60; ++second) {
    now_ += absl::Seconds(1);
    metrics_.ForDevice("cuda:0").last_step.Set(second);
    EXPECT_EQ(watch.Look(catalog_, metrics_, Backlog(), Backlog(), now_),
              second < 60 ? ""
                          : "device cuda:1: no step for 60 s while 1 jobs "
                            "wait or run");
  }
}

TEST_F(PoolStallWatchTest, ADeviceThatDoesNotGetAModelIsNamedAfterALongerTime) {
  PoolStallWatch watch({"cuda:0", "cuda:1"}, absl::Seconds(60));
  catalog_.Put(ModelThatIs("tiny", v1::Model::STATE_UNLOADED));
  metrics_.ForDevice("cuda:0").live_images.Set(1);
  backlog_.SetDevices(2);
  for (const char* model : {"tiny", "an upscaler"}) {
    Took(backlog_, /*id=*/model, model, /*device=*/1);
  }
  for (int second = 0; second <= 600; second += 10) {
    metrics_.ForDevice("cuda:0").last_step.Set(second + 1);
    metrics_.ForModel("tiny").denoise_batches.Increment();
    EXPECT_EQ(watch.Look(catalog_, metrics_, backlog_, Backlog(), now_),
              second < 600 ? ""
                           : "device cuda:1: no step for 600 s while 1 jobs "
                             "wait or run, maybe for a model");
    now_ += absl::Seconds(10);
  }
}

TEST_F(PoolStallWatchTest, AJobThatHasItsModelIsNotWaitedForLonger) {
  PoolStallWatch watch({"cuda:0"}, absl::Seconds(60));
  catalog_.Put(ModelThatIs("tiny", v1::Model::STATE_RESIDENT));
  metrics_.ForModel("tiny").jobs_running.Set(1);  // its text is encoded
  Took(backlog_, "a", "tiny", /*device=*/0);
  EXPECT_EQ(watch.Look(catalog_, metrics_, backlog_, Backlog(), now_), "");
  EXPECT_EQ(watch.Look(catalog_, metrics_, backlog_, Backlog(),
                       now_ + absl::Seconds(60)),
            "device cuda:0: no step for 60 s while 1 jobs wait or run");
  // One more is put aside until its model is there.
  Took(backlog_, "b", "tiny", /*device=*/0);
  EXPECT_EQ(watch.Look(catalog_, metrics_, backlog_, Backlog(),
                       now_ + absl::Seconds(61)),
            "");
}

TEST_F(PoolStallWatchTest, ADeviceThatPaintsALargePictureDoesNotHang) {
  ModelSpeeds speeds;
  speeds.SetSpeed(0, "tiny",
                  {.costs = StepCosts({{2, absl::Seconds(12)}}),
                   .own_pixels = 1,
                   .largest_batch = 2});
  PoolStallWatch watch({"cpu:0"}, absl::Seconds(60), &speeds);
  catalog_.Put(ModelThatIs("tiny", v1::Model::STATE_RESIDENT));
  metrics_.ForModel("tiny").jobs_running.Set(1);
  metrics_.ForDevice("cpu:0").live_images.Set(1);
  BacklogJob job;
  job.id = "a";
  job.demand.model = "tiny";
  job.demand.pixels = 1;
  job.steps_left = {1};
  backlog_.Add(job);
  backlog_.Start("a", /*device=*/0, absl::Seconds(1));
  EXPECT_EQ(watch.Look(catalog_, metrics_, backlog_, Backlog(), now_), "");
  EXPECT_EQ(watch.Look(catalog_, metrics_, backlog_, Backlog(),
                       now_ + absl::Seconds(119)),
            "");
  EXPECT_EQ(watch.Look(catalog_, metrics_, backlog_, Backlog(),
                       now_ + absl::Seconds(120)),
            "device cpu:0: no step for 120 s while 1 jobs wait or run");
}

TEST_F(PoolStallWatchTest, EveryDeviceThatHangsIsNamed) {
  PoolStallWatch watch({"cuda:0", "cuda:1", "cuda:2"}, absl::Seconds(60));
  for (const char* device : {"cuda:0", "cuda:2"}) {
    metrics_.ForDevice(device).live_images.Set(2);
  }
  EXPECT_EQ(watch.Look(catalog_, metrics_, Backlog(), Backlog(), now_), "");
  EXPECT_EQ(watch.Look(catalog_, metrics_, Backlog(), Backlog(),
                       now_ + absl::Seconds(60)),
            "device cuda:0: no step for 60 s while 2 jobs wait or run; "
            "device cuda:2: no step for 60 s while 2 jobs wait or run");
}

TEST_F(PoolStallWatchTest, JobsThatNoDeviceHasStallThePool) {
  PoolStallWatch watch({"cuda:0"}, absl::Seconds(60));
  catalog_.Put(ModelThatIs("tiny", v1::Model::STATE_RESIDENT));
  metrics_.ForModel("tiny").queue_depth[1]->Set(3);
  EXPECT_EQ(watch.Look(catalog_, metrics_, Backlog(), Backlog(), now_), "");
  EXPECT_EQ(watch.Look(catalog_, metrics_, Backlog(), Backlog(),
                       now_ + absl::Seconds(60)),
            "no step for 60 s while 3 jobs wait or run");
}

// Its last step is taken: what is left is to decode, enlarge or write.
TEST_F(PoolStallWatchTest, AJobThatIsNotDecodedHangsItsDevice) {
  PoolStallWatch watch({"cuda:0", "cuda:1"}, absl::Seconds(60));
  catalog_.Put(ModelThatIs("tiny", v1::Model::STATE_RESIDENT));
  metrics_.ForModel("tiny").jobs_running.Set(1);
  metrics_.ForDevice("cuda:1").last_step.Set(990);
  backlog_.SetDevices(2);
  Took(backlog_, "a", "tiny", /*device=*/1);
  backlog_.StepsLeft("a", /*image=*/0, /*steps_left=*/0);
  for (int second = 0; second <= 60; second += 20) {
    // Another device goes on meanwhile.
    metrics_.ForDevice("cuda:0").last_step.Set(1000 + second);
    metrics_.ForModel("tiny").denoise_batches.Increment();
    EXPECT_EQ(watch.Look(catalog_, metrics_, backlog_, Backlog(), now_),
              second < 60 ? ""
                          : "device cuda:1: no step for 60 s while 1 jobs "
                            "wait or run");
    now_ += absl::Seconds(20);
  }
}

TEST_F(PoolStallWatchTest, SentPicturesHangThoughStepsGoOn) {
  PoolStallWatch watch({"cpu:0"}, absl::Seconds(60));
  catalog_.Put(ModelThatIs("tiny", v1::Model::STATE_RESIDENT));
  const DeviceMetrics device = metrics_.ForDevice("cpu:0");
  Backlog upscaling;
  for (const char* id : {"a", "b"}) upscaling.Add({.id = id});
  const absl::Time begin = absl::FromUnixSeconds(1000);
  const auto at = [&](int second) {
    metrics_.ForModel("tiny").denoise_batches.Increment();
    device.last_step.Set(1000 + second);
    return watch.Look(catalog_, metrics_, Backlog(), upscaling,
                      begin + absl::Seconds(second));
  };
  EXPECT_EQ(at(0), "");
  device.upscale_tiles.Increment();
  EXPECT_EQ(at(30), "");
  EXPECT_EQ(at(89), "");
  EXPECT_EQ(at(90), "enlarging: no tile for 60 s while 2 jobs wait or run");
  upscaling.Remove("a");
  device.upscale_tiles.Increment();
  EXPECT_EQ(at(91), "");
}

TEST_F(PoolStallWatchTest, APaintedPictureThatIsEnlargedMoves) {
  PoolStallWatch watch({"cpu:0"}, absl::Seconds(60));
  catalog_.Put(ModelThatIs("tiny", v1::Model::STATE_RESIDENT));
  metrics_.ForModel("tiny").jobs_running.Set(1);
  const DeviceMetrics device = metrics_.ForDevice("cpu:0");
  Took(backlog_, "a", "tiny", /*device=*/0);
  for (int tile = 0; tile < 10; ++tile) {
    device.upscale_tiles.Increment();
    EXPECT_EQ(watch.Look(catalog_, metrics_, backlog_, Backlog(), now_), "");
    now_ += absl::Seconds(40);
  }
  now_ += absl::Seconds(20);
  EXPECT_EQ(watch.Look(catalog_, metrics_, backlog_, Backlog(), now_),
            "device cpu:0: no step for 60 s while 1 jobs wait or run");
}

TEST_F(PoolStallWatchTest, AModelThatIsReadForEverHidesNoDeviceThatHangs) {
  PoolStallWatch watch({"cuda:0"}, absl::Seconds(60));
  catalog_.Put(ModelThatIs("large", v1::Model::STATE_LOADING));
  metrics_.ForDevice("cuda:0").live_images.Set(1);
  EXPECT_EQ(watch.Look(catalog_, metrics_, Backlog(), Backlog(), now_), "");
  EXPECT_EQ(watch.Look(catalog_, metrics_, Backlog(), Backlog(),
                       now_ + absl::Seconds(60)),
            "device cuda:0: no step for 60 s while 1 jobs wait or run");
}

}  // namespace
}  // namespace genzo
