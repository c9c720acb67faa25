#include "base/upscaler_catalog.h"

#include "base/upscale_plan.h"
#include "tests/testing/matchers.h"

namespace genzo {
namespace {

v1::Upscaler Named(const std::string& name) {
  v1::Upscaler upscaler;
  upscaler.set_name(name);
  return upscaler;
}

TEST(UpscalerCatalogTest, ListsTheFilterAmongNetworksByName) {
  UpscalerCatalog catalog;
  catalog.Put({Named("ultra"), "/u"});
  catalog.Put({Named("anime"), "/a"});
  const auto list = catalog.List();
  ASSERT_EQ(list.size(), 3u);
  EXPECT_EQ(list[0].name(), "anime");
  EXPECT_EQ(list[1].name(), kLanczos);
  EXPECT_EQ(list[2].name(), "ultra");
}

TEST(UpscalerCatalogTest, NoNameIsTheFirstNetwork) {
  UpscalerCatalog catalog;
  catalog.Put({Named("ultra"), "/u"});
  catalog.Put({Named("zebra"), "/z"});
  EXPECT_EQ(catalog.Get("")->upscaler.name(), "ultra");
}

TEST(UpscalerCatalogTest, ANetworkMayNotTakeTheFiltersName) {
  UpscalerCatalog catalog;
  EXPECT_FALSE(catalog.Put({Named(kLanczos), "/l"}));
  EXPECT_EQ(catalog.Get(kLanczos)->path, "");
}

TEST(UpscalerCatalogTest, ALongNameIsToldByItsLength) {
  const UpscalerCatalog catalog;
  EXPECT_THAT(catalog.Get(std::string(64, 'x')),
              StatusIs(absl::StatusCode::kNotFound, std::string(64, 'x')));
  EXPECT_THAT(catalog.Get(std::string(65, 'x')),
              StatusIs(absl::StatusCode::kNotFound, "of 65 bytes is not"));
}

TEST(UpscalerCatalogTest, ANameIsShownWithoutItsControls) {
  const UpscalerCatalog catalog;
  EXPECT_THAT(catalog.Get("\x1b[2J"),
              StatusIs(absl::StatusCode::kNotFound, "\"\uFFFD[2J\""));
}

}  // namespace
}  // namespace genzo
