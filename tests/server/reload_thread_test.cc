#include "server/reload_thread.h"

#include <optional>
#include <vector>

#include "absl/synchronization/notification.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace genzo {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

// Configurations whose number of threads says which reading they are of. The
// first reading hangs until the test lets it go on.
class ReloadThreadTest : public ::testing::Test {
 protected:
  absl::StatusOr<Config> Read() {
    Config config;
    config.threads = ++readings_;
    if (readings_ == 1) {
      hangs_.Notify();
      goes_on_.WaitForNotification();
    }
    if (readings_ == broken_) return absl::InvalidArgumentError("broken");
    return config;
  }

  int readings_ = 0;  // these are the thread's until reset()
  int broken_ = 0;
  std::vector<int> taken_;
  absl::Notification hangs_;
  absl::Notification goes_on_;
  std::optional<ReloadThread> reload_{
      std::in_place, [this] { return Read(); },
      [this](const Config& config) { taken_.push_back(config.threads); }};
};

TEST_F(ReloadThreadTest, NobodyWaitsForAFileThatHangs) {
  reload_->Ask();
  hangs_.WaitForNotification();
  reload_->Ask();  // comes back
  goes_on_.Notify();
  reload_.reset();
}

TEST_F(ReloadThreadTest, WishesThatComeMeanwhileAreOne) {
  absl::Notification done;
  const auto take = [&](const Config& config) {
    taken_.push_back(config.threads);
    if (config.threads == 2) done.Notify();
  };
  reload_.emplace([this] { return Read(); }, take);
  reload_->Ask();
  hangs_.WaitForNotification();
  for (int i = 0; i < 3; ++i) reload_->Ask();
  goes_on_.Notify();
  done.WaitForNotification();
  reload_.reset();
  EXPECT_THAT(taken_, ElementsAre(1, 2));
  EXPECT_EQ(readings_, 2);
}

TEST_F(ReloadThreadTest, NothingIsTakenOverAnyMoreOnceClosed) {
  reload_->Ask();
  hangs_.WaitForNotification();
  reload_->Ask();
  reload_->Close();
  goes_on_.Notify();
  reload_.reset();
  EXPECT_THAT(taken_, IsEmpty());
  EXPECT_EQ(readings_, 1) << "the next one did not begin";
}

TEST_F(ReloadThreadTest, ABrokenOneChangesNothingAndTheNextOneCounts) {
  broken_ = 1;
  absl::Notification done;
  reload_.emplace([this] { return Read(); },
                  [&](const Config& config) {
                    taken_.push_back(config.threads);
                    done.Notify();
                  });
  reload_->Ask();
  hangs_.WaitForNotification();
  reload_->Ask();
  goes_on_.Notify();
  done.WaitForNotification();
  reload_.reset();
  EXPECT_THAT(taken_, ElementsAre(2));
}

}  // namespace
}  // namespace genzo
