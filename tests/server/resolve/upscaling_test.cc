#include "server/resolve/upscaling.h"

#include "base/upscaler_catalog.h"
#include "tests/server/resolve/resolver_model.h"
#include "tests/testing/matchers.h"

namespace genzo {
namespace {

v1::GenerateRequest HiresRequest() {
  v1::GenerateRequest request;
  request.set_width(128);
  request.set_height(64);
  request.set_steps(4);
  request.set_sampler(v1::SAMPLER_DDIM);
  request.mutable_hires();
  return request;
}

TEST(ResolveEnlargingTest, FillsInTheSecondPass) {
  v1::GenerateRequest request = HiresRequest();
  const auto size =
      ResolveEnlarging(ResolverModel({"hires"}), UpscalerCatalog(), request);
  ASSERT_THAT(size, IsOk());
  EXPECT_EQ(size->width, 256);
  EXPECT_EQ(size->height, 128);
  EXPECT_EQ(request.hires().steps(), 4u);
  EXPECT_EQ(request.hires().sampler(), v1::SAMPLER_DDIM);
  EXPECT_EQ(request.hires().strength(), 0.7);
}

TEST(ResolveEnlargingTest, ASamplerHasItsFewestStepsInTheSecondPassToo) {
  v1::Model model = ResolverModel({"hires"});
  auto* pndm = model.add_samplers();
  pndm->set_sampler(v1::SAMPLER_PNDM);
  pndm->set_min_steps(12);
  v1::GenerateRequest request = HiresRequest();
  request.mutable_hires()->set_sampler(v1::SAMPLER_PNDM);
  EXPECT_THAT(ResolveEnlarging(model, UpscalerCatalog(), request),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       "hires.steps 4 is below 12"));
  request.mutable_hires()->set_steps(12);
  EXPECT_THAT(ResolveEnlarging(model, UpscalerCatalog(), request), IsOk());
}

}  // namespace
}  // namespace genzo
