#include "server/models_watch.h"

#include <filesystem>

#include "absl/synchronization/notification.h"
#include "gtest/gtest.h"
#include "tests/testing/test_folder.h"

namespace genzo {
namespace {

TEST(ModelsWatchTest, TellsOfWhatAppearsAndOfWhatIsGone) {
  const TestFolder folder;
  absl::Notification appeared;
  absl::Notification gone;
  ModelConfig found;
  std::string lost;
  const ModelsWatch watch(ModelsFolder(folder.path(), {}),
                          absl::Milliseconds(1),
                          {.appeared =
                               [&](const ModelConfig& model) {
                                 found = model;
                                 appeared.Notify();
                               },
                           .gone =
                               [&](const std::string& id) {
                                 lost = id;
                                 gone.Notify();
                               }});
  folder.Write("new.safetensors", "x");
  appeared.WaitForNotification();
  EXPECT_EQ(found.id, "new");
  EXPECT_EQ(found.path, folder.path() + "/new.safetensors");
  std::filesystem::remove(found.path);
  gone.WaitForNotification();
  EXPECT_EQ(lost, "new");
}

TEST(ModelsWatchTest, AClosedOneTellsNothingMoreAndKeepsNobodyWaiting) {
  const TestFolder folder;
  folder.Write("one.safetensors", "x");
  folder.Write("two.safetensors", "x");
  absl::Notification hangs;
  absl::Notification goes_on;
  int heard = 0;
  {
    ModelsWatch watch(ModelsFolder(folder.path(), {}), absl::Milliseconds(1),
                      {.appeared =
                           [&](const ModelConfig&) {
                             if (++heard > 1) return;
                             hangs.Notify();
                             goes_on.WaitForNotification();
                           },
                       .gone = [](const std::string&) {}});
    hangs.WaitForNotification();
    watch.Close();
    goes_on.Notify();
  }
  EXPECT_EQ(heard, 1);
}

}  // namespace
}  // namespace genzo
