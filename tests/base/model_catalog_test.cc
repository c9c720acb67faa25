#include "base/model_catalog.h"

#include "base/errors.h"
#include "tests/testing/matchers.h"

namespace genzo {
namespace {

v1::Model Named(const std::string& id) {
  v1::Model model;
  model.set_id(id);
  return model;
}

TEST(ModelCatalogTest, ListsById) {
  ModelCatalog catalog("b");
  catalog.Put(Named("b"));
  catalog.Put(Named("a"));
  const auto models = catalog.List();
  ASSERT_EQ(models.size(), 2u);
  EXPECT_EQ(models[0].id(), "a");
  EXPECT_TRUE(models[1].is_default());
}

TEST(ModelCatalogTest, GivesTheDefaultForNoId) {
  ModelCatalog catalog("b");
  catalog.Put(Named("a"));
  catalog.Put(Named("b"));
  EXPECT_EQ(catalog.Get("")->id(), "b");
}

TEST(ModelCatalogTest, AnotherMayBecomeTheDefault) {
  ModelCatalog catalog("a");
  catalog.Put(Named("a"));
  catalog.Put(Named("b"));
  catalog.SetDefault("b");
  EXPECT_EQ(catalog.Get("")->id(), "b");
  EXPECT_FALSE(catalog.Get("a")->is_default());
  EXPECT_TRUE(catalog.Get("b")->is_default());
}

TEST(ModelCatalogTest, ReplacesAModel) {
  ModelCatalog catalog("a");
  catalog.Put(Named("a"));
  v1::Model failed = Named("a");
  failed.set_state(v1::Model::STATE_FAILED);
  catalog.Put(failed);
  EXPECT_EQ(catalog.Get("a")->state(), v1::Model::STATE_FAILED);
  EXPECT_EQ(catalog.List().size(), 1u);
}

TEST(ModelCatalogTest, RefusesIdsThatAreTooLong) {
  ModelCatalog catalog("a");
  EXPECT_THAT(catalog.Get(std::string(20000, 'x')),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       "model has 20000 bytes, the limit is 63"));
}

TEST(ModelCatalogTest, ListsKnownModelsForAnUnknownOne) {
  ModelCatalog catalog("a");
  catalog.Put(Named("a"));
  const auto model = catalog.Get("z");
  EXPECT_THAT(model, StatusIs(absl::StatusCode::kNotFound, "known models: a"));
  EXPECT_EQ(ErrorReason(model.status()), "MODEL_NOT_FOUND");
}

}  // namespace
}  // namespace genzo
