// Control networks and image prompts of real requests, with a tiny model.

#include <limits>

#include "tests/server/registry.h"
#include "tests/testing/front_end_rig.h"
#include "tests/testing/matchers.h"
#include "tests/testing/pictures.h"
#include "tests/testing/server.h"
#include "tests/testing/tiny_control.h"
#include "worker/media/picture_decoder.h"
#include "worker/media/picture_encoder.h"

namespace genzo {
namespace {

using v1::GenerateRequest;

class ControlsTest : public ::testing::Test {
 protected:
  ControlsTest() {
    WriteTinyControl(folder_, "nets/canny");
    WriteTinySdxlUNet(folder_, "xl", /*encoders=*/2, /*numbers=*/6);
    WriteTinyControl(folder_, "nets/xl", 1, folder_.path() + "/xl");
    config_ = TinyConfig();
    config_.controlnets = {folder_.path() + "/nets"};
  }

  GenerateRequest Fox() const {
    GenerateRequest request;
    request.set_prompt("a fox");
    request.set_seed(7);
    request.set_steps(3);
    return request;
  }
  GenerateRequest Steered() const {
    GenerateRequest request = Fox();
    v1::ControlInput& control = *request.add_controls();
    control.set_name("canny");
    control.mutable_picture()->set_data(
        ReadFile(SourcePath("tests/data/pictures/rgb_png.png")));
    control.set_preprocessor(v1::ControlInput::PREPROCESSOR_CANNY);
    return request;
  }

  const TestFolder folder_;
  Config config_;
};

TEST_F(ControlsTest, AControlSteersThePicture) {
  const Server server(config_);
  const std::string plain = PictureOf(Call(server, Fox()).Rest());
  const std::string steered = PictureOf(Call(server, Steered()).Rest());
  EXPECT_GT(LargestDifference(steered, plain), 0);
  GenerateRequest weightless = Steered();
  weightless.mutable_controls(0)->set_weight(0);
  EXPECT_EQ(
      LargestDifference(PictureOf(Call(server, weightless).Rest()), plain), 0);
}

TEST_F(ControlsTest, TheRegistryTellsWhatFits) {
  const Server server(config_);
  const auto model = GetModel(server, "tiny");
  ASSERT_THAT(model, IsOk());
  EXPECT_THAT(model->controlnets(), ::testing::ElementsAre("canny"));
  EXPECT_THAT(model->request_fields(), ::testing::Contains("controls"));
}

TEST_F(ControlsTest, HostileInputsAreRefusedBeforeTheyQueue) {
  const Server server(config_);
  const auto refuses = [&](const auto& change, const std::string& message) {
    GenerateRequest request = Steered();
    change(*request.mutable_controls(0));
    Call call(server, request);
    EXPECT_TRUE(call.Rest().empty()) << "no job came to be";
    EXPECT_EQ(call.status().error_code(), grpc::StatusCode::INVALID_ARGUMENT);
    EXPECT_THAT(call.status().error_message(), ::testing::HasSubstr(message));
  };
  using Control = v1::ControlInput;
  refuses([](Control& c) { c.set_name("sketch"); }, "controls[0].name");
  refuses([](Control& c) { c.set_name("../canny"); }, "controls[0].name");
  refuses([](Control& c) { c.set_name("xl"); },
          "\"xl\" is none that fits model \"tiny\"");
  refuses([](Control& c) { c.mutable_picture()->set_data("no picture"); },
          "controls[0].picture.data");
  refuses(
      [](Control& c) {
        c.set_weight(std::numeric_limits<double>::quiet_NaN());
      },
      "controls[0].weight");
}

// Its header is sound, so that only the worker can tell.
TEST_F(ControlsTest, APictureThatIsCutOffFailsItsJobAlone) {
  const Server server(config_);
  GenerateRequest request = Steered();
  std::string& data =
      *request.mutable_controls(0)->mutable_picture()->mutable_data();
  data.resize(data.size() / 2);
  Call call(server, request);
  call.Rest();
  EXPECT_EQ(call.status().error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_THAT(call.status().error_message(),
              ::testing::HasSubstr("controls[0].picture.data"));
  Call next(server, Steered());
  EXPECT_TRUE(Succeeded(next.Rest().back()));
}

// The hint is of the whole picture, and the region is cut out of both.
TEST_F(ControlsTest, AHintIsWithoutWhatAMaskMarks) {
  const Server server(config_);
  GenerateRequest request = Steered();
  v1::ControlInput& control = *request.mutable_controls(0);
  control.set_preprocessor(v1::ControlInput::PREPROCESSOR_INPAINT);
  const std::string picture = control.picture().data();
  request.set_width(64);
  request.set_height(64);
  request.mutable_image_to_image()->set_image(picture);
  request.mutable_image_to_image()->set_strength(1);
  v1::Inpainting& inpainting = *request.mutable_inpainting();
  inpainting.mutable_mask()->set_data(picture);  // as bright as it is
  inpainting.set_only_masked(true);
  inpainting.set_mask_blur(2);
  const auto paint = [&] {
    Call call(server, request);
    const auto events = call.Rest();
    EXPECT_TRUE(call.status().ok()) << call.status().error_message();
    return PictureOf(events);
  };
  const std::string steered = paint();
  control.set_weight(0);
  const std::string plain = paint();
  EXPECT_GT(LargestDifference(steered, plain), 0);
  control.set_weight(1);
  control.mutable_picture()->set_data(
      ReadFile(SourcePath("docs/images/developing.png")));
  EXPECT_GT(LargestDifference(steered, paint()), 0) << "another hint";
  inpainting.set_invert_mask(true);
  EXPECT_NE(paint(), "");
}

// As if the borders had been drawn around the hint, too.
TEST_F(ControlsTest, TheHintOfAPicturePaintedAroundLiesWhereThePictureDoes) {
  const Server server(config_);
  const auto whole = DecodePicture(
      ReadFile(SourcePath("tests/data/pictures/rgb_png.png")), {});
  ASSERT_THAT(whole, IsOk());
  const Pixels inner = FitToSize(*whole, 48, 64, ResizeMode::kCrop);
  Pixels outer = FitToSize(*whole, 64, 64,
                           ResizeMode::kCrop);  // its left quarter is taken out
  for (int y = 0; y < 64; ++y) {
    outer.rgb.replace((y * 64 + 16) * 3, 48 * 3, inner.rgb, y * 48 * 3, 48 * 3);
  }
  GenerateRequest request = Steered();
  request.set_width(64);
  request.set_height(64);
  request.mutable_image_to_image()->set_image(
      EncodePicture(inner, {}, {})->data);
  request.mutable_image_to_image()->set_strength(1);
  request.mutable_outpainting()->set_left(16);
  v1::ControlInput& control = *request.mutable_controls(0);
  control.set_preprocessor(v1::ControlInput::PREPROCESSOR_INPAINT);
  const auto paint = [&](const std::string& hint) {
    control.mutable_picture()->set_data(hint);
    Call call(server, request);
    const auto events = call.Rest();
    EXPECT_TRUE(call.status().ok()) << call.status().error_message();
    return PictureOf(events);
  };
  const std::string followed = paint(request.image_to_image().image());
  EXPECT_EQ(
      LargestDifference(followed, paint(EncodePicture(outer, {}, {})->data)),
      0);
  // A comment makes it another file, whose picture is of the whole result.
  EXPECT_GT(
      LargestDifference(
          followed, paint(EncodePicture(inner, {}, {{"Comment", "x"}})->data)),
      0);
}

TEST_F(ControlsTest, ANetworkThatComesLaterNeedsNoRestart) {
  Server server(config_);
  GenerateRequest request = Steered();
  request.mutable_controls(0)->set_name("later");
  Call early(server, request);
  early.Rest();
  EXPECT_EQ(ReasonOf(early.status()), "INVALID_FIELD");
  WriteTinyControl(folder_, "nets/later", 0.5);
  server.pool().LookBeside();
  // The engine tells of it in its next turn, which comes before the next job's.
  Call(server, Fox()).Rest();
  Call call(server, request);
  EXPECT_TRUE(Succeeded(call.Rest().back())) << call.status().error_message();
}

}  // namespace
}  // namespace genzo
