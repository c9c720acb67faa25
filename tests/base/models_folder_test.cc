#include "base/models_folder.h"

#include <filesystem>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/testing/test_folder.h"

namespace genzo {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

std::vector<std::string> Ids(const std::vector<ModelConfig>& models) {
  std::vector<std::string> ids;
  for (const ModelConfig& model : models) ids.push_back(model.id);
  return ids;
}

class ModelsFolderTest : public ::testing::Test {
 protected:
  const TestFolder folder_;
  ModelsFolder models_{folder_.path(), {{"taken", "/elsewhere"}}};
};

TEST_F(ModelsFolderTest, FindsFilesAndFolders) {
  folder_.Write("Juggernaut XL_v9!!.safetensors", "x");
  folder_.Write("emaki/model_index.json", "{}");
  folder_.Write("notes/readme.md", "x");
  folder_.Write("old.ckpt", "x");
  const auto found = models_.Scan();
  EXPECT_THAT(Ids(found), ElementsAre("juggernaut-xl_v9", "emaki"));
  EXPECT_EQ(found[1].path, folder_.path() + "/emaki");
  EXPECT_EQ(found[1].config, "");
}

TEST_F(ModelsFolderTest, TellsOfWhatIsNewOrHasChanged) {
  folder_.Write("a.safetensors", "x");
  EXPECT_THAT(Ids(models_.Scan()), ElementsAre("a"));
  EXPECT_THAT(models_.Scan(), IsEmpty());
  folder_.Write("b.safetensors", "x");
  EXPECT_THAT(Ids(models_.Scan()), ElementsAre("b"));
  folder_.Write("a.safetensors", "longer");
  EXPECT_THAT(Ids(models_.Scan()), ElementsAre("a"));
}

TEST_F(ModelsFolderTest, AFolderBesideAFileIsItsConfiguration) {
  folder_.Write("a.safetensors", "x");
  folder_.Write("a.config/model_index.json", "{}");
  const auto found = models_.Scan();
  EXPECT_THAT(Ids(found), ElementsAre("a"));
  EXPECT_EQ(found[0].config, folder_.path() + "/a.config");
}

TEST_F(ModelsFolderTest, AnIdIsTakenOnce) {
  folder_.Write("taken.safetensors", "x");
  folder_.Write("A b.safetensors", "x");
  folder_.Write("a-b.safetensors", "x");
  folder_.Write("---.safetensors", "x");
  const auto found = models_.Scan();
  EXPECT_THAT(Ids(found), ElementsAre("a-b"));
  EXPECT_EQ(found[0].path, folder_.path() + "/A b.safetensors");
  EXPECT_THAT(models_.Scan(), IsEmpty());
}

TEST_F(ModelsFolderTest, AFolderThatIsNotThereIsEmpty) {
  std::filesystem::remove_all(folder_.path());
  EXPECT_THAT(models_.Scan(), IsEmpty());
}

}  // namespace
}  // namespace genzo
