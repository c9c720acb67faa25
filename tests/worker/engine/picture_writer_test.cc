#include "worker/engine/picture_writer.h"

#include <functional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/synchronization/notification.h"
#include "tests/testing/matchers.h"

namespace genzo {
namespace {

using ::testing::ElementsAre;

PictureWriter::Task TaskOf(
    std::function<void(absl::StatusOr<v1::Picture>)> done) {
  return {.pixels = {.width = 2, .height = 1, .rgb = std::string(6, 'x')},
          .format = {},
          .text = {},
          .done = std::move(done)};
}

TEST(PictureWriterTest, WritesOnAThreadOfItsOwnInOrder) {
  std::vector<int> order;
  std::vector<std::thread::id> threads;
  {
    PictureWriter writer(/*capacity=*/4);
    for (int i = 0; i < 3; ++i) {
      writer.Submit(TaskOf([&, i](const absl::StatusOr<v1::Picture>& picture) {
        ASSERT_THAT(picture.status(), IsOk());
        EXPECT_EQ(picture->width(), 2u);
        EXPECT_EQ(picture->size_bytes(), picture->data().size());
        order.push_back(i);
        threads.push_back(std::this_thread::get_id());
      }));
    }
  }
  EXPECT_THAT(order, ElementsAre(0, 1, 2)) << "its end finishes what waits";
  for (const std::thread::id thread : threads) {
    EXPECT_NE(thread, std::this_thread::get_id());
  }
}

TEST(PictureWriterTest, WhoeverComesWaitsForAPlace) {
  absl::Notification first_runs, third_comes, go_on, second_runs, end;
  bool second_ran_first = false;
  {
    PictureWriter writer(/*capacity=*/1);
    writer.Submit(TaskOf([&](const auto&) {
      first_runs.Notify();
      go_on.WaitForNotification();
    }));
    first_runs.WaitForNotification();
    // The one that may wait.
    writer.Submit(TaskOf([&](const auto&) {
      second_runs.Notify();
      end.WaitForNotification();
    }));
    std::thread third([&] {
      third_comes.Notify();
      writer.Submit(TaskOf([](const auto&) {}));
      second_ran_first =
          second_runs.HasBeenNotified() || go_on.HasBeenNotified();
    });
    third_comes.WaitForNotification();
    for (int i = 0; i < 1000; ++i) std::this_thread::yield();
    go_on.Notify();
    third.join();
    end.Notify();
  }
  EXPECT_TRUE(second_ran_first);
}

TEST(PictureWriterTest, APictureThatCannotBeWrittenIsToldAndHurtsNoOther) {
  std::vector<absl::Status> told;
  {
    PictureWriter writer(/*capacity=*/2);
    auto broken =
        TaskOf([&](const auto& picture) { told.push_back(picture.status()); });
    broken.pixels.rgb.pop_back();
    writer.Submit(std::move(broken));
    writer.Submit(
        TaskOf([&](const auto& picture) { told.push_back(picture.status()); }));
  }
  ASSERT_EQ(told.size(), 2u);
  EXPECT_THAT(told[0], StatusIs(absl::StatusCode::kInternal, ""));
  EXPECT_THAT(told[1], IsOk());
}

}  // namespace
}  // namespace genzo
