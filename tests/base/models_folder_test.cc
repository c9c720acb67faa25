#include "base/models_folder.h"

#include <unistd.h>

#include <filesystem>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/testing/test_folder.h"

namespace genzo {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::MatchesRegex;

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
  const auto found = models_.Look().fresh;
  // Whoever reads the pickle says what to do with it.
  EXPECT_THAT(Ids(found), ElementsAre("juggernaut-xl_v9", "emaki", "old"));
  EXPECT_EQ(found[1].path, folder_.path() + "/emaki");
  EXPECT_EQ(found[1].config, "");
}

TEST_F(ModelsFolderTest, TellsOfWhatIsNewOrHasChanged) {
  folder_.Write("a.safetensors", "x");
  EXPECT_THAT(Ids(models_.Look().fresh), ElementsAre("a"));
  EXPECT_THAT(models_.Look().fresh, IsEmpty());
  folder_.Write("b.safetensors", "x");
  EXPECT_THAT(Ids(models_.Look().fresh), ElementsAre("b"));
  folder_.Write("a.safetensors", "longer");
  EXPECT_THAT(models_.Look().fresh, IsEmpty()) << "may be a copy under way";
  folder_.Write("a.safetensors", "longest");
  EXPECT_THAT(models_.Look().fresh, IsEmpty()) << "which it was";
  EXPECT_THAT(Ids(models_.Look().fresh), ElementsAre("a"));
}

TEST_F(ModelsFolderTest, AModelIsAnotherOnceItsOwnFilesAre) {
  folder_.Write("a.safetensors", "x");
  const ModelFiles first = models_.Look().fresh.at(0).files();
  folder_.Write("flux.config/model_index.json", "{}");
  models_.Look();
  EXPECT_EQ(models_.Look().fresh.at(0).files(), first) << "of all files";
  folder_.Write("a.safetensors", "longer");
  models_.Look();
  EXPECT_NE(models_.Look().fresh.at(0).files(), first);
}

TEST_F(ModelsFolderTest, AFolderBesideAFileIsItsConfiguration) {
  folder_.Write("a.safetensors", "x");
  folder_.Write("a.config/model_index.json", "{}");
  const auto found = models_.Look().fresh;
  EXPECT_THAT(Ids(found), ElementsAre("a"));
  EXPECT_EQ(found[0].config, folder_.path() + "/a.config");
}

// A copy under way, and parts that come later.
TEST_F(ModelsFolderTest, AModelIsNewsWhenAnyOfItsFilesIs) {
  folder_.Write("emaki/model_index.json", "{}");
  folder_.Write("a.safetensors", "x");
  EXPECT_THAT(Ids(models_.Look().fresh), ElementsAre("a", "emaki"));
  folder_.Write("emaki/vae/model.safetensors", "x");
  models_.Look();
  EXPECT_THAT(Ids(models_.Look().fresh), ElementsAre("emaki"));
  folder_.Write("flux.config/tokenizer_2/spiece.model", "x");
  models_.Look();
  EXPECT_THAT(Ids(models_.Look().fresh), ElementsAre("a"));
  folder_.Write("a.config/genzo.json", "{}");
  models_.Look();
  EXPECT_THAT(Ids(models_.Look().fresh), ElementsAre("a"));
  EXPECT_THAT(models_.Look().fresh, IsEmpty());
}

TEST_F(ModelsFolderTest, NamesThatGiveOneIdAreToldApart) {
  folder_.Write("taken.safetensors", "x");
  folder_.Write("A b.safetensors", "x");
  folder_.Write("a-b.safetensors", "x");
  folder_.Write("水墨画风.safetensors", "x");
  const std::string same(70, 'n');
  folder_.Write(same + "1.safetensors", "x");
  folder_.Write(same + "2.safetensors", "x");
  const auto found = models_.Look().fresh;
  EXPECT_THAT(Ids(found),
              ElementsAre("a-b", MatchesRegex("a-b-[0-9a-f]{6}"),
                          same.substr(0, 63), MatchesRegex("n+-[0-9a-f]{6}"),
                          MatchesRegex("taken-[0-9a-f]{6}"),
                          MatchesRegex("model-[0-9a-f]{6}")));
  EXPECT_EQ(found[0].path, folder_.path() + "/A b.safetensors");
  EXPECT_EQ(found[3].id.size(), 63u);
  EXPECT_THAT(models_.Look().fresh, IsEmpty());
}

TEST_F(ModelsFolderTest, AnIdStaysWhenTheOtherIsGone) {
  folder_.Write("A b.safetensors", "x");
  folder_.Write("a-b.safetensors", "x");
  const auto first = models_.Look().fresh;
  std::filesystem::remove(folder_.path() + "/A b.safetensors");
  EXPECT_THAT(models_.Look().gone, ElementsAre("a-b"));
  folder_.Write("a-b.safetensors", "longer");
  models_.Look();
  EXPECT_THAT(Ids(models_.Look().fresh), ElementsAre(first[1].id));
}

TEST_F(ModelsFolderTest, LooksIntoFoldersThatAreNoModels) {
  folder_.Write("sdxl/anime/b.safetensors", "x");
  folder_.Write("emaki/model_index.json", "{}");
  folder_.Write("emaki/unet/weights.safetensors", "x");
  folder_.Write("flux.config/vae/weights.safetensors", "x");
  folder_.Write(".cache/c.safetensors", "x");
  EXPECT_THAT(Ids(models_.Look().fresh), ElementsAre("emaki", "b"));
}

// Each folder once, by its own name where it has one here: links may lead
// around.
TEST_F(ModelsFolderTest, FollowsLinksToFolders) {
  namespace fs = std::filesystem;
  const TestFolder elsewhere;
  elsewhere.Write("deep/b.safetensors", "x");
  folder_.Write("real/a.safetensors", "x");
  fs::create_directory_symlink(elsewhere.path(), folder_.path() + "/disk");
  fs::create_directory_symlink(folder_.path(), folder_.path() + "/real/up");
  fs::create_directory_symlink(elsewhere.path(),
                               elsewhere.path() + "/deep/round");
  fs::create_directory_symlink(folder_.path() + "/real",
                               folder_.path() + "/again");
  fs::create_directory_symlink("/nowhere", folder_.path() + "/broken");
  const auto found = models_.Look().fresh;
  ASSERT_THAT(Ids(found), ElementsAre("b", "a"));
  EXPECT_EQ(found[0].path, folder_.path() + "/disk/deep/b.safetensors");
  EXPECT_EQ(found[1].path, folder_.path() + "/real/a.safetensors");
}

TEST_F(ModelsFolderTest, AFolderThatCannotBeReadTellsNothing) {
  using std::filesystem::perms;
  if (geteuid() == 0) GTEST_SKIP() << "root may read all";
  folder_.Write("a.safetensors", "x");
  folder_.Write("closed/b.safetensors", "x");
  EXPECT_THAT(Ids(models_.Look().fresh), ElementsAre("a", "b"));
  for (const char* folder : {"", "/closed"}) {
    const std::string path = folder_.path() + folder;
    std::filesystem::permissions(path, perms::none);
    const auto found = models_.Look();
    std::filesystem::permissions(path, perms::owner_all);
    EXPECT_THAT(found.fresh, IsEmpty());
    const std::vector<std::string> gone(*folder == '\0' ? 0 : 1, "b");
    EXPECT_EQ(found.gone, gone);
  }
}

TEST_F(ModelsFolderTest, TellsOfWhatIsGone) {
  folder_.Write("a.safetensors", "x");
  folder_.Write("b/model_index.json", "{}");
  EXPECT_THAT(models_.Look().gone, IsEmpty());
  std::filesystem::remove_all(folder_.path() + "/b");
  EXPECT_THAT(models_.Look().gone, ElementsAre("b"));
  EXPECT_THAT(models_.Look().gone, IsEmpty());
  folder_.Write("b/model_index.json", "{}");
  EXPECT_THAT(Ids(models_.Look().fresh), ElementsAre("b"));
}

TEST_F(ModelsFolderTest, AFolderThatIsNotThereIsEmpty) {
  std::filesystem::remove_all(folder_.path());
  EXPECT_THAT(models_.Look().fresh, IsEmpty());
}

}  // namespace
}  // namespace genzo
