#include "worker/engine/latent_store.h"

#include "ATen/ops/full.h"
#include "tests/testing/matchers.h"

namespace genzo {
namespace {

// 16 bytes.
KeptLatent Latent(float value) {
  return {.latent = at::full({1, 4, 1, 1}, value), .model = "tiny"};
}

TEST(LatentStoreTest, ATenantFindsItsOwn) {
  LatentStore store(/*bytes=*/1000, /*tenant_bytes=*/500);
  store.Keep("a", "x", Latent(1));
  const auto found = store.Find("a", "x");
  ASSERT_THAT(found, IsOk());
  EXPECT_EQ(found->latent[0][0].item<float>(), 1);
  EXPECT_THAT(store.Find("b", "x"),
              StatusIs(absl::StatusCode::kNotFound, "\"x\""));
}

TEST(LatentStoreTest, ATenantsOldestMakeRoomForItsOwn) {
  LatentStore store(/*bytes=*/1000, /*tenant_bytes=*/32);
  store.Keep("b", "z", Latent(0));
  store.Keep("a", "x", Latent(1));
  store.Keep("a", "y", Latent(2));
  EXPECT_THAT(store.Find("a", "x"), IsOk()) << "used last";
  store.Keep("a", "z", Latent(3));
  EXPECT_THAT(store.Find("a", "x"), IsOk());
  EXPECT_FALSE(store.Find("a", "y").ok());
  EXPECT_THAT(store.Find("a", "z"), IsOk());
  EXPECT_THAT(store.Find("b", "z"), IsOk());
}

TEST(LatentStoreTest, TheWholeIsBounded) {
  LatentStore store(/*bytes=*/32, /*tenant_bytes=*/16);
  store.Keep("a", "x", Latent(1));
  store.Keep("b", "x", Latent(1));
  store.Keep("c", "x", Latent(1));
  EXPECT_FALSE(store.Find("a", "x").ok());
  EXPECT_THAT(store.Find("b", "x"), IsOk());
  store.Keep("c", "y", {.latent = at::full({1, 8, 1, 1}, 1.0f)});
  EXPECT_FALSE(store.Find("c", "y").ok()) << "larger than a tenant's share";
  EXPECT_THAT(store.Find("c", "x"), IsOk());
}

}  // namespace
}  // namespace genzo
