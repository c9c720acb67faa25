#include "server/rpc/model_admin_service.h"

#include "gtest/gtest.h"

namespace genzo {
namespace {

TEST(FreedModelTest, IsTheModelWithoutItsMemory) {
  ModelCatalog catalog("a");
  v1::Model model;
  model.set_id("a");
  model.set_family("sd1");
  model.set_weight_bytes(5);
  model.set_pinned(true);
  catalog.Put(model);
  const v1::Model freed = FreedModel(catalog, "a", v1::Model::STATE_DRAINED);
  EXPECT_EQ(freed.family(), "sd1");
  EXPECT_EQ(freed.state(), v1::Model::STATE_DRAINED);
  EXPECT_EQ(freed.weight_bytes(), 0u);
  EXPECT_FALSE(freed.pinned());
}

// Its folder was emptied while a job still painted with it.
TEST(FreedModelTest, MayBeKnownToNobodyAnyMore) {
  const v1::Model freed =
      FreedModel(ModelCatalog("a"), "gone", v1::Model::STATE_UNLOADED);
  EXPECT_EQ(freed.id(), "gone");
  EXPECT_EQ(freed.state(), v1::Model::STATE_UNLOADED);
}

}  // namespace
}  // namespace genzo
