#include "worker/residency/step_profile.h"

#include "ATen/Parallel.h"
#include "c10/core/InferenceMode.h"
#include "tests/testing/fake_clock.h"
#include "tests/testing/matchers.h"
#include "tests/testing/test_folder.h"
#include "worker/device/thread_count.h"

namespace genzo {
namespace {

TEST(StepProfileTest, MeasuresWhetherBitsDependOnTheThreads) {
  const c10::InferenceMode inference;
  UseThreadsHere(2);
  const auto model = DiffusionModel::Load(TinyModelFolder(), Placement());
  ASSERT_THAT(model.status(), IsOk());
  const StepProfile profile = MeasureStepProfile(
      **model, {.largest_rows = 4, .threads = 2, .fewer_threads = 1},
      FakeClock());
  EXPECT_TRUE(profile.threads_independent);
  EXPECT_TRUE(profile.rows_independent);
  EXPECT_EQ(at::get_num_threads(), 2) << "as before";
}

TEST(StepProfileTest, KnowsHowManyRowsFit) {
  const StepProfile profile = {.costs = StepCosts({{1, absl::Milliseconds(1)},
                                                   {8, absl::Milliseconds(2)}}),
                               .activation_bytes = 800,
                               .decode = absl::ZeroDuration()};
  EXPECT_EQ(RowsThatFit(profile, /*area=*/1, /*bytes=*/350), 3);
  EXPECT_EQ(RowsThatFit(profile, /*area=*/0.25, /*bytes=*/350), 14);
  EXPECT_EQ(RowsThatFit(profile, /*area=*/16, /*bytes=*/350), 1);
  EXPECT_EQ(RowsThatFit(profile, /*area=*/1, /*bytes=*/-9), 1);
}

TEST(StepProfileTest, CountsForTheThreadsThatItWasMeasuredWith) {
  const TestFolder folder;
  const ProfileStore store(folder.path());
  const StepProfile measured = {
      .costs = StepCosts({{1, absl::Milliseconds(1)}}),
      .decode = absl::Milliseconds(1),
      .rows_independent = true,
      .threads_independent = true};
  const auto key = [](int threads, int fewer) {
    return ProfileKey(TinyModelFolder(), Placement(), threads, fewer);
  };
  store.Write("tiny", key(2, 2), measured);
  StepProfile read;
  EXPECT_FALSE(store.Read("tiny", key(2, 1), read));
  EXPECT_FALSE(store.Read("tiny", key(1, 1), read));
  ASSERT_TRUE(store.Read("tiny", key(2, 2), read));
  EXPECT_TRUE(read.threads_independent);
}

}  // namespace
}  // namespace genzo
