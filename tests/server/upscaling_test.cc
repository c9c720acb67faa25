// Pictures made larger, by a real server: sent ones, painted ones, and between
// two passes.

#include <limits>

#include "base/pictures/picture_metadata.h"
#include "c10/core/InferenceMode.h"
#include "genzo/v1/upscaling.grpc.pb.h"
#include "tests/testing/matchers.h"
#include "tests/testing/pictures.h"
#include "tests/testing/server.h"
#include "tests/worker/upscale/random_upscalers.h"
#include "worker/media/picture_decoder.h"
#include "worker/media/picture_encoder.h"
#include "worker/media/pixel_tensors.h"
#include "worker/media/provenance.h"
#include "worker/media/watermark.h"
#include "worker/upscale/enlargement.h"

namespace genzo {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;
using v1::GenerateRequest;
using v1::HiresPass;
using v1::JobEvent;
using v1::UpscaleRequest;

// Of an answer that is read to its end.
struct Answer {
  std::vector<JobEvent> events;
  grpc::Status status;

  std::string message() const { return status.error_message(); }
};

class UpscalingTest : public ::testing::Test {
 protected:
  UpscalingTest() {
    RandomCompactNet({}).Write(folder_.path(), "Tiny.safetensors");
    RandomRrdbNet({.unshuffle = 2}).Write(folder_.path(), "deep.safetensors");
    folder_.Write("other.safetensors", "no tensors");
    Config config = TinyConfig();
    config.upscalers = {folder_.path()};
    server_ = std::make_unique<Server>(config);
    stub_ = v1::Upscaling::NewStub(server_->Channel());
  }

  // A small picture.
  static UpscaleRequest Picture() {
    UpscaleRequest request;
    request.mutable_picture()->set_data(
        ReadFile(SourcePath("tests/data/pictures/rgb_png.png")));
    return request;
  }

  Answer Upscale(const UpscaleRequest& request) const {
    grpc::ClientContext context;
    const auto stream = stub_->Upscale(&context, request);
    Answer answer;
    JobEvent event;
    while (stream->Read(&event)) answer.events.push_back(event);
    answer.status = stream->Finish();
    return answer;
  }

  // What the network makes of the file, by hand.
  std::string Expected(const std::string& file, const std::string& name) const {
    const c10::InferenceMode inference;
    std::shared_ptr<const Upscaler> upscaler =
        *LoadUpscaler(folder_.path() + "/" + name + ".safetensors", at::kCPU);
    const at::Tensor pixels = ToTensor(*DecodePicture(file, {})) / 2 + 0.5;
    v1::Upscaler known;
    known.set_scale(static_cast<uint32_t>(upscaler->traits().scale));
    const auto plan = PlanUpscale({}, known, {pixels.size(3), pixels.size(2)});
    Enlargement enlargement(upscaler, pixels, *plan, int64_t{1} << 30);
    while (!enlargement.finished()) enlargement.Step();
    return EncodePicture(ToPixels(enlargement.result() * 2 - 1), {}, {})->data;
  }

  static GenerateRequest Fox() {
    GenerateRequest request;
    request.set_prompt("a red fox");
    request.set_seed(7);
    request.set_steps(3);
    request.set_sampler(v1::SAMPLER_DDIM);
    request.mutable_output()->set_embed_parameters(false);
    return request;
  }

  const TestFolder folder_;
  std::unique_ptr<Server> server_;
  std::unique_ptr<v1::Upscaling::Stub> stub_;
};

TEST_F(UpscalingTest, ListsWhatLiesInTheFolders) {
  grpc::ClientContext context;
  v1::ListUpscalersResponse list;
  ASSERT_TRUE(stub_->ListUpscalers(&context, {}, &list).ok());
  ASSERT_EQ(list.upscalers_size(), 3);
  EXPECT_EQ(list.upscalers(0).name(), "deep");
  EXPECT_EQ(list.upscalers(0).architecture(), "RRDBNet");
  EXPECT_EQ(list.upscalers(0).scale(), 2u);
  EXPECT_EQ(list.upscalers(1).name(), "lanczos");
  EXPECT_EQ(list.upscalers(2).name(), "tiny");
  EXPECT_EQ(list.next_page_token(), "");
}

TEST_F(UpscalingTest, TheListHasPages) {
  const auto ask = [&](const v1::ListUpscalersRequest& request,
                       v1::ListUpscalersResponse& page) {
    grpc::ClientContext context;
    return stub_->ListUpscalers(&context, request, &page);
  };
  v1::ListUpscalersRequest request;
  request.set_page_size(2);
  v1::ListUpscalersResponse first, second, none;
  ASSERT_TRUE(ask(request, first).ok());
  EXPECT_EQ(first.upscalers_size(), 2);
  request.set_page_token(first.next_page_token());
  ASSERT_TRUE(ask(request, second).ok());
  ASSERT_EQ(second.upscalers_size(), 1);
  EXPECT_EQ(second.upscalers(0).name(), "tiny");
  EXPECT_EQ(second.next_page_token(), "");
  request.set_page_token("nobody's");
  EXPECT_EQ(ask(request, none).error_code(),
            grpc::StatusCode::INVALID_ARGUMENT);
}

TEST_F(UpscalingTest, ASentPictureComesBackLarger) {
  UpscaleRequest request = Picture();
  request.set_upscaler("tiny");
  const Answer answer = Upscale(request);
  ASSERT_TRUE(answer.status.ok()) << answer.message();
  ASSERT_EQ(answer.events.size(), 5u);
  EXPECT_TRUE(answer.events[0].has_queued());
  EXPECT_EQ(answer.events[1].started().resolved().model(), "tiny");
  EXPECT_EQ(answer.events[2].progress().step(), 1u);
  EXPECT_EQ(answer.events[2].progress().steps(), 1u);
  EXPECT_TRUE(Succeeded(answer.events[4]));
  EXPECT_LE(LargestDifference(PictureOf(answer.events),
                              Expected(request.picture().data(), "Tiny")),
            1);
}

TEST_F(UpscalingTest, TheResultHasTheSizeThatWasAskedFor) {
  const auto read = ReadPicture(Picture().picture().data());
  const auto size_of = [&](const UpscaleRequest& request) {
    const Answer answer = Upscale(request);
    EXPECT_TRUE(answer.status.ok()) << answer.message();
    const auto picture = ReadPicture(PictureOf(answer.events));
    return picture.ok() ? std::pair(picture->width, picture->height)
                        : std::pair(0, 0);
  };
  UpscaleRequest request = Picture();
  request.set_upscaler("deep");
  request.set_factor(5);  // three times through a network of scale 2
  EXPECT_EQ(size_of(request), std::pair(5 * read->width, 5 * read->height));
  request.clear_factor();
  request.set_width(50);
  request.set_height(70);
  EXPECT_EQ(size_of(request), std::pair(50, 70));
  request.set_upscaler("lanczos");
  EXPECT_EQ(size_of(request), std::pair(50, 70));
}

TEST_F(UpscalingTest, WhatCannotBeIsRefusedByField) {
  const auto expect = [&](const UpscaleRequest& request,
                          const std::string& text) {
    const Answer answer = Upscale(request);
    EXPECT_EQ(answer.status.error_code(), grpc::StatusCode::INVALID_ARGUMENT)
        << text;
    EXPECT_NE(answer.message().find(text), std::string::npos)
        << answer.message();
    EXPECT_TRUE(answer.events.empty());
  };
  UpscaleRequest request = Picture();
  request.set_upscaler("../tiny");
  expect(request,
         "upscaler \"../tiny\" is not the name of an upscaler; known "
         "are: deep, lanczos, tiny");
  expect({}, "picture.data is empty");
  request = Picture();
  request.mutable_picture()->set_data("no picture");
  expect(request, "picture.data: ");
  for (const double factor :
       {0.0, -1.0, 16.5, std::numeric_limits<double>::quiet_NaN()}) {
    request = Picture();
    request.set_factor(factor);
    expect(request, "is not over 0 and up to 16");
  }
  request = Picture();
  request.set_width(100);
  expect(request, "width and height go together");
  request.set_height(9000);
  expect(request, "height 9000 is not between 1 and 8192");
  request = Picture();
  request.mutable_output()->set_upscaler("tiny");
  expect(request, "output.upscaler");
  request = Picture();
  request.mutable_output()->set_tiny_decoder(true);
  expect(request, "output.tiny_decoder");
  request = Picture();
  request.mutable_output()->set_mark_provenance(false);
  expect(request, "output.mark_provenance false");
  // A head of 20,000 x 20,000 pixels, without any of them.
  request = Picture();
  std::string& file = *request.mutable_picture()->mutable_data();
  file.replace(16, 8, std::string("\0\0\x4e\x20\0\0\x4e\x20", 8));
  expect(request, "picture");
}

TEST_F(UpscalingTest, ALargerPictureStillSaysWhereItComesFrom) {
  const auto text_of = [&](const UpscaleRequest& request) {
    const Answer answer = Upscale(request);
    EXPECT_TRUE(answer.status.ok()) << answer.message();
    const auto text = ReadPictureText(PictureOf(answer.events));
    return text.ok() ? *text : PictureText();
  };
  const auto source_type = [](const PictureText& text) {
    return ReadXmp(TextOf(text, kXmpKey)).value_or(Provenance()).source_type;
  };
  // A photograph, by a network and by a filter.
  UpscaleRequest request = Picture();
  request.set_upscaler("tiny");
  EXPECT_EQ(source_type(text_of(request)), "algorithmicallyEnhanced");
  request.set_upscaler("lanczos");
  EXPECT_EQ(source_type(text_of(request)), "");
  // A painting, by either.
  GenerateRequest painted = Fox();
  painted.mutable_output()->set_embed_parameters(true);
  Call call(*server_, painted);
  request.mutable_picture()->set_data(PictureOf(call.Rest()));
  for (const char* upscaler : {"tiny", "lanczos"}) {
    request.set_upscaler(upscaler);
    const PictureText text = text_of(request);
    EXPECT_EQ(source_type(text), "trainedAlgorithmicMedia") << upscaler;
    EXPECT_THAT(TextOf(text, kParametersKey), HasSubstr("a red fox"));
  }
  request.mutable_output()->set_embed_parameters(false);
  const PictureText text = text_of(request);
  EXPECT_EQ(source_type(text), "trainedAlgorithmicMedia");
  EXPECT_EQ(TextOf(text, kParametersKey), "");
  EXPECT_THAT(TextOf(text, kXmpKey), Not(HasSubstr("a red fox")));
}

TEST_F(UpscalingTest, ALargerPictureCarriesTheWatermarkThatWasAskedFor) {
  UpscaleRequest request = Picture();
  request.set_upscaler("lanczos");
  request.set_factor(16);
  const auto mark_in = [&] {
    const auto picture = DecodePicture(PictureOf(Upscale(request).events), {});
    return picture.ok() ? FindWatermark(*picture) : -1;
  };
  EXPECT_LT(mark_in(), kWatermarkFound);
  request.mutable_output()->set_watermark(true);
  EXPECT_GE(mark_in(), kWatermarkFound);
}

TEST_F(UpscalingTest, APaintedPictureCanBeSentLarger) {
  Call plain(*server_, Fox());
  const std::string small = PictureOf(plain.Rest());
  GenerateRequest request = Fox();
  request.mutable_output()->set_upscaler("deep");
  Call call(*server_, request);
  const std::string large = PictureOf(call.Rest());
  ASSERT_TRUE(call.status().ok()) << call.status().error_message();
  EXPECT_EQ(ReadPicture(large)->width, 128);
  // But for the rounding of the small one's bytes, which the network spreads.
  EXPECT_LE(LargestDifference(large, Expected(small, "deep")), 8);
}

TEST_F(UpscalingTest, ASecondPassGoesOnAtTheLargerSize) {
  for (const HiresPass::Upscale way :
       {HiresPass::UPSCALE_LATENT, HiresPass::UPSCALE_LATENT_NEAREST,
        HiresPass::UPSCALE_LATENT_BICUBIC, HiresPass::UPSCALE_LANCZOS,
        HiresPass::UPSCALE_NETWORK}) {
    GenerateRequest request = Fox();
    HiresPass& hires = *request.mutable_hires();
    hires.set_upscale(way);
    if (way == HiresPass::UPSCALE_NETWORK) hires.set_upscaler("tiny");
    hires.set_steps(4);
    hires.set_strength(0.5);
    request.mutable_preview()->set_every(1);
    Call call(*server_, request);
    const std::vector<JobEvent> events = call.Rest();
    ASSERT_TRUE(call.status().ok()) << call.status().error_message();
    EXPECT_EQ(events.back().ended().steps_run(), 5u);
    EXPECT_EQ(ReadPicture(PictureOf(events))->width, 128);
    for (const JobEvent& event : events) {
      if (!event.has_progress()) continue;
      EXPECT_EQ(event.progress().steps(), 5u);
    }
    Call again(*server_, request);
    EXPECT_EQ(LargestDifference(PictureOf(again.Rest()), PictureOf(events)), 0);
  }
}

TEST_F(UpscalingTest, SecondPassesThatCannotBeAreRefusedByField) {
  const auto expect = [&](const std::function<void(HiresPass&)>& set,
                          const std::string& text) {
    GenerateRequest request = Fox();
    set(*request.mutable_hires());
    Call call(*server_, request);
    EXPECT_TRUE(call.Rest().empty());
    EXPECT_EQ(call.status().error_code(), grpc::StatusCode::INVALID_ARGUMENT);
    EXPECT_NE(call.status().error_message().find(text), std::string::npos)
        << call.status().error_message();
  };
  expect([](HiresPass& hires) { hires.set_factor(1); }, "hires.factor 1 ");
  expect([](HiresPass& hires) { hires.set_factor(5); }, "hires.factor 5 ");
  expect([](HiresPass& hires) { hires.set_width(128); }, "hires.width");
  expect(
      [](HiresPass& hires) {
        hires.set_width(128);
        hires.set_height(4096);
      },
      "hires.height 4096 is not between 64 and 2048");
  expect([](HiresPass& hires) { hires.set_strength(0); }, "hires.strength 0 ");
  expect([](HiresPass& hires) { hires.set_steps(100'000); },
         "hires.steps 100000 ");
  expect([](HiresPass& hires) { hires.set_upscaler("../x"); },
         "hires.upscaler \"../x\"");
  expect([](HiresPass& hires) { hires.set_sampler(v1::SAMPLER_FLOW_EULER); },
         "hires.sampler SAMPLER_FLOW_EULER");
  expect(
      [](HiresPass& hires) {
        hires.set_upscale(HiresPass::UPSCALE_LATENT);
        hires.set_upscaler("tiny");
      },
      "hires.upscaler goes with UPSCALE_NETWORK alone");
}

}  // namespace
}  // namespace genzo
