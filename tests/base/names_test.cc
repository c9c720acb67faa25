#include <filesystem>

#include "base/config.h"
#include "base/model_catalog.h"
#include "base/models_folder.h"
#include "base/request_rules.h"
#include "tests/testing/matchers.h"
#include "tests/testing/test_folder.h"

namespace genzo {
namespace {

TEST(IdOfNameTest, EveryIdIsOne) {
  for (const char* name : {"A", "..a", "__x__", "Juggernaut XL v9", "a\u00e9b",
                           "-x-", "\u591c sky", "a--b", "100%", "a.b_c-d",
                           "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
                           "aaaaaaaaaaaaaaaaaaa"}) {
    EXPECT_TRUE(IsModelId(IdOfName(name))) << name << ": " << IdOfName(name);
  }
}

TEST(IdOfNameTest, NothingOfSomeNamesCanBeInAnId) {
  EXPECT_EQ(IdOfName(""), "");
  EXPECT_EQ(IdOfName("---"), "");
  EXPECT_EQ(IdOfName("\u591c"), "");
}

TEST(IdOfNameTest, ARunOfOtherCharactersIsOneHyphen) {
  EXPECT_EQ(IdOfName("Realistic  Vision (v5.1)"), "realistic-vision-v5.1");
}

TEST(ModelsFolderLookTest, AModelThatLeftIsNewsWhenItComesBack) {
  const TestFolder folder;
  const std::string file = folder.Write("a.safetensors", "x");
  ModelsFolder models(folder.path(), {});
  EXPECT_EQ(models.Look().fresh.size(), 1u);
  const std::string aside = folder.path() + "/aside";
  std::filesystem::rename(file, aside);
  EXPECT_EQ(models.Look().gone, std::vector<std::string>{"a"});
  std::filesystem::rename(aside, file);
  EXPECT_EQ(models.Look().fresh.size(), 1u);
}

TEST(ModelsFolderLookTest, AFolderIsAModelOnceItsIndexIsThere) {
  const TestFolder folder;
  folder.Write("copying/unet/weights", "x");
  ModelsFolder models(folder.path(), {});
  EXPECT_EQ(models.Look().fresh.size(), 0u);
  folder.Write("copying/model_index.json", "{}");
  EXPECT_EQ(models.Look().fresh.size(), 1u);
}

TEST(TenantNameTest, HasSixtyFourCharactersAtMost) {
  EXPECT_TRUE(IsTenantName(std::string(64, 'T')));
  EXPECT_FALSE(IsTenantName(std::string(65, 'T')));
  EXPECT_FALSE(IsTenantName(""));
}

TEST(TenantNameTest, HasNoOtherCharacters) {
  EXPECT_TRUE(IsTenantName("A.b_c-9"));
  for (const char* bad : {"a b", "a/b", "a\n", "\u00e4", "a:b", "a@b"}) {
    EXPECT_FALSE(IsTenantName(bad)) << bad;
  }
}

TEST(ImagesDrawnTest, TheBestOfMoreAreSent) {
  v1::GenerateRequest request;
  request.set_image_count(2);
  EXPECT_EQ(ImagesDrawn(request), 2u);
  request.mutable_best_of()->set_draw(5);
  EXPECT_EQ(ImagesDrawn(request), 5u);
}

TEST(ModelCatalogTest, TheBestDeviceSpeaksForAModel) {
  ModelCatalog catalog("a");
  v1::Model model;
  model.set_id("a");
  for (const auto& [device, state] : {std::pair(0, v1::Model::STATE_FAILED),
                                      std::pair(1, v1::Model::STATE_RESIDENT),
                                      std::pair(2, v1::Model::STATE_LOADING)}) {
    model.set_state(state);
    catalog.Put(model, device);
  }
  EXPECT_EQ(catalog.Get("a")->state(), v1::Model::STATE_RESIDENT);
  model.set_state(v1::Model::STATE_UNLOADED);
  catalog.Put(model, 1);
  EXPECT_EQ(catalog.Get("a")->state(), v1::Model::STATE_LOADING)
      << "of what they say now";
  EXPECT_EQ(catalog.List().size(), 1u);
}

TEST(ModelCatalogTest, AnAdministratorNamesAModel) {
  ModelCatalog catalog("a");
  v1::Model model;
  model.set_id("a");
  catalog.Put(model);
  EXPECT_THAT(catalog.Named("a"), IsOk());
  EXPECT_THAT(catalog.Named(""),
              StatusIs(absl::StatusCode::kInvalidArgument, "id is empty"));
}

TEST(ModelCatalogTest, TheDefaultMayBeMissing) {
  const ModelCatalog catalog("a");
  EXPECT_THAT(catalog.Get(""), StatusIs(absl::StatusCode::kNotFound,
                                        "model \"a\" is not known"));
}

}  // namespace
}  // namespace genzo
