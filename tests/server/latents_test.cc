// Latents that one request leaves for the next.

#include <set>

#include "tests/testing/matchers.h"
#include "tests/testing/pictures.h"
#include "tests/testing/server.h"

namespace genzo {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

v1::GenerateRequest Request() {
  v1::GenerateRequest request;
  request.set_prompt("a fox");
  request.set_seed(7);
  request.set_steps(4);
  request.set_width(64);
  request.set_height(64);
  request.set_sampler(v1::SAMPLER_DDIM);
  request.mutable_output()->set_embed_parameters(false);
  return request;
}

v1::Image ImageOf(const std::vector<v1::JobEvent>& events) {
  for (const v1::JobEvent& event : events) {
    if (event.has_image()) return event.image();
  }
  return {};
}

TEST(LatentsTest, AreStartedFromByTheirName) {
  const Server server(TinyConfig());
  v1::GenerateRequest first = Request();
  EXPECT_THAT(ImageOf(Call(server, first).Rest()).latents(), IsEmpty());
  first.set_keep_latents(true);
  const v1::Image kept = ImageOf(Call(server, first).Rest());
  ASSERT_FALSE(kept.latents().empty());
  v1::GenerateRequest second = Request();
  second.set_start_latents(kept.latents());
  second.mutable_image_to_image()->set_strength(0.5);
  const std::string picture = PictureOf(Call(server, second).Rest());
  ASSERT_FALSE(picture.empty());
  EXPECT_EQ(PictureOf(Call(server, second).Rest()), picture);
  EXPECT_NE(picture, kept.picture().data());
}

TEST(LatentsTest, AreTheirTenantsAndOfOneSize) {
  const Server server(TinyConfig());
  v1::GenerateRequest request = Request();
  request.set_keep_latents(true);
  const std::string latents =
      ImageOf(Call(server, request, {.tenant = "a"}).Rest()).latents();
  request.set_start_latents(latents);
  Call of_another(server, request, {.tenant = "b"});
  of_another.Rest();
  EXPECT_EQ(of_another.status().error_code(), grpc::StatusCode::NOT_FOUND);
  EXPECT_EQ(of_another.reason(), "LATENTS_NOT_FOUND");
  request.set_width(72);
  Call of_another_size(server, request, {.tenant = "a"});
  EXPECT_THAT(of_another_size.Rest(), IsEmpty()) << "it is not even queued";
  EXPECT_EQ(of_another_size.status().error_code(),
            grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_THAT(of_another_size.status().error_message(),
              HasSubstr("start_latents are of width 64 and height 64"));
}

TEST(LatentsTest, GiveTheirSizeToWhoNamesNone) {
  const Server server(TinyConfig());
  v1::GenerateRequest request = Request();
  request.set_width(72);
  request.set_keep_latents(true);
  request.set_start_latents(ImageOf(Call(server, request).Rest()).latents());
  request.clear_width();
  request.clear_height();
  const auto events = Call(server, request).Rest();
  ASSERT_TRUE(Succeeded(events.back()));
  EXPECT_EQ(events[1].started().resolved().width(), 72u);
}

TEST(LatentsTest, VariationsOfOneSeedDiffer) {
  const Server server(TinyConfig());
  v1::GenerateRequest request = Request();
  const std::string plain = PictureOf(Call(server, request).Rest());
  request.mutable_variation()->set_seed(3);
  request.mutable_variation()->set_strength(0.3);
  const std::string varied = PictureOf(Call(server, request).Rest());
  EXPECT_NE(varied, plain);
  request.mutable_variation()->set_seed(4);
  EXPECT_NE(PictureOf(Call(server, request).Rest()), varied);
  // The second of two images is that of the next other seed alone.
  request.mutable_variation()->set_seed(3);
  request.set_image_count(2);
  std::vector<std::string> pictures(2);
  for (const v1::JobEvent& event : Call(server, request).Rest()) {
    if (!event.has_image()) continue;
    EXPECT_EQ(event.image().seed(), request.seed());
    pictures[event.image().image_index()] = event.image().picture().data();
  }
  EXPECT_EQ(pictures[0], varied);
  request.set_image_count(1);
  request.mutable_variation()->set_seed(4);
  EXPECT_EQ(PictureOf(Call(server, request).Rest()), pictures[1]);
}

// Up and down again, with the noise that a picture has in place of the seed's.
TEST(LatentsTest, AnInversionComesBackToThePicture) {
  const Server server(TinyConfig());
  v1::GenerateRequest first = Request();
  first.set_keep_latents(true);
  first.set_guidance_scale(1);
  first.set_steps(30);
  const v1::Image kept = ImageOf(Call(server, first).Rest());
  v1::GenerateRequest second = first;
  second.set_seed(8);
  second.set_start_latents(kept.latents());
  second.mutable_image_to_image()->set_strength(1);
  const std::string drawn = PictureOf(Call(server, second).Rest());
  second.mutable_image_to_image()->mutable_inversion();
  const std::string inverted = PictureOf(Call(server, second).Rest());
  const std::string& picture = kept.picture().data();
  EXPECT_LT(4 * LargestDifference(inverted, picture),
            LargestDifference(drawn, picture));
  second.set_seed(9);
  EXPECT_EQ(PictureOf(Call(server, second).Rest()), inverted);
}

TEST(LatentsTest, ProgressCountsTheWayUpAndPreviewsDoNot) {
  const Server server(TinyConfig());
  v1::GenerateRequest request = Request();
  request.mutable_image_to_image()->set_image(
      ReadFile(SourcePath("tests/data/pictures/rgb_png.png")));
  request.mutable_image_to_image()->set_strength(0.5);
  request.mutable_image_to_image()->mutable_inversion()->set_steps(6);
  request.mutable_preview()->set_every(1);
  std::set<uint32_t> steps, totals, previews;
  v1::GenerateRequest resolved;
  for (const v1::JobEvent& event : Call(server, request).Rest()) {
    if (event.has_started()) resolved = event.started().resolved();
    if (event.has_preview()) previews.insert(event.preview().step());
    if (!event.has_progress()) continue;
    steps.insert(event.progress().step());
    totals.insert(event.progress().steps());
  }
  EXPECT_THAT(totals, ElementsAre(3 + 4));
  EXPECT_EQ(*steps.rbegin(), 3u + 4u);
  for (const uint32_t step : previews) EXPECT_EQ(step, 3u);
  EXPECT_EQ(resolved.image_to_image().inversion().prompt(), "a fox");
}

TEST(LatentsTest, ApproximationsAreTold) {
  const Server server(TinyConfig());
  v1::GenerateRequest request = Request();
  request.mutable_guidance()->set_text_gate_step(2);
  const v1::Image image = ImageOf(Call(server, request).Rest());
  EXPECT_THAT(image.approximations(), ElementsAre("text_gate_step 2"));
}

}  // namespace
}  // namespace genzo
