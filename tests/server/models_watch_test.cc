#include "server/models_watch.h"

#include "absl/synchronization/notification.h"
#include "gtest/gtest.h"
#include "tests/testing/test_folder.h"

namespace genzo {
namespace {

TEST(ModelsWatchTest, TellsOfWhatAppears) {
  const TestFolder folder;
  absl::Notification told;
  ModelConfig found;
  const ModelsWatch watch(ModelsFolder(folder.path(), {}),
                          absl::Milliseconds(1), [&](const ModelConfig& model) {
                            found = model;
                            told.Notify();
                          });
  folder.Write("new.safetensors", "x");
  told.WaitForNotification();
  EXPECT_EQ(found.id, "new");
  EXPECT_EQ(found.path, folder.path() + "/new.safetensors");
}

}  // namespace
}  // namespace genzo
