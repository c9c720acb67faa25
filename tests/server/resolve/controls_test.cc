#include "server/resolve/controls.h"

#include <limits>

#include "tests/testing/matchers.h"
#include "tests/testing/test_folder.h"

namespace genzo {
namespace {

using Control = v1::ControlInput;

class ResolveControlsTest : public ::testing::Test {
 protected:
  ResolveControlsTest() {
    model_.set_id("tiny");
    model_.add_tasks(v1::TASK_TEXT_TO_IMAGE);
    for (const char* field :
         {"controls", "controls.guess_mode", "image_prompts"}) {
      model_.add_request_fields(field);
    }
    model_.add_controlnets("canny");
    model_.add_controlnets("depth");
    model_.add_ip_adapters("face");
    Control& control = *request_.add_controls();
    control.set_name("canny");
    control.mutable_picture()->set_data(picture_);
  }

  absl::Status Resolve() {
    Violations violations;
    ResolveControls(model_, RequestLimits(), request_, violations);
    return violations.status();
  }
  Control& control() { return *request_.mutable_controls(0); }

  const std::string picture_ =
      ReadFile(SourcePath("tests/data/pictures/rgb_png.png"));
  v1::Model model_;
  v1::GenerateRequest request_;
};

TEST_F(ResolveControlsTest, FillsInDefaults) {
  control().set_preprocessor(Control::PREPROCESSOR_CANNY);
  ASSERT_THAT(Resolve(), IsOk());
  EXPECT_EQ(control().weight(), 1);
  EXPECT_EQ(control().start(), 0);
  EXPECT_EQ(control().end(), 1);
  EXPECT_EQ(control().canny_low(), 100u);
  EXPECT_EQ(control().canny_high(), 200u);
  EXPECT_EQ(control().picture().bytes(), picture_.size());
  EXPECT_EQ(control().picture().sha256().size(), 32u);
  control().clear_preprocessor();
  ASSERT_THAT(Resolve(), IsOk());
  EXPECT_EQ(control().preprocessor(), Control::PREPROCESSOR_NONE);
}

TEST_F(ResolveControlsTest, AHintBecomesTheSizeAsThePictureDoes) {
  ASSERT_THAT(Resolve(), IsOk());
  EXPECT_EQ(control().resize_mode(), v1::RESIZE_MODE_CROP);
  control().clear_resize_mode();
  request_.mutable_image_to_image()->set_resize_mode(v1::RESIZE_MODE_FILL);
  ASSERT_THAT(Resolve(), IsOk());
  EXPECT_EQ(control().resize_mode(), v1::RESIZE_MODE_FILL);
  control().set_resize_mode(v1::RESIZE_MODE_STRETCH);
  ASSERT_THAT(Resolve(), IsOk());
  EXPECT_EQ(control().resize_mode(), v1::RESIZE_MODE_STRETCH) << "its own";
  control().set_resize_mode(static_cast<v1::ResizeMode>(9));
  EXPECT_THAT(Resolve(), StatusIs(absl::StatusCode::kInvalidArgument,
                                  "controls[0].resize_mode 9"));
}

TEST_F(ResolveControlsTest, NamesWhatIsWrong) {
  const Control sound = control();
  const auto refuses = [&](const auto& change, const std::string& message) {
    control() = sound;
    change(control());
    EXPECT_THAT(Resolve(), StatusIs(kInvalid, message));
  };
  refuses([](Control& c) { c.set_name(""); }, "controls[0].name is empty");
  refuses([](Control& c) { c.set_name("../canny"); },
          "controls[0].name \"../canny\" is none that fits model \"tiny\"; "
          "those are: canny, depth");
  refuses([](Control& c) { c.set_name(std::string(256, 'x')); },
          "controls[0].name has 256 bytes");
  refuses([](Control& c) { c.mutable_picture()->set_data("no picture"); },
          "controls[0].picture.data");
  refuses([](Control& c) { c.clear_picture(); }, "controls[0].picture");
  const double nan = std::numeric_limits<double>::quiet_NaN();
  refuses([&](Control& c) { c.set_weight(nan); }, "controls[0].weight nan");
  refuses([](Control& c) { c.set_weight(2.5); }, "controls[0].weight 2.5");
  refuses([](Control& c) { c.set_start(-0.1); }, "controls[0].start -0.1");
  refuses([](Control& c) { c.set_start(0.5), c.set_end(0.5); },
          "controls[0].end 0.5 is not over controls[0].start 0.5");
  refuses([](Control& c) { c.set_preprocessor(Control::PREPROCESSOR_INPAINT); },
          "needs inpainting.mask");
  refuses(
      [](Control& c) {
        c.set_preprocessor(static_cast<Control::Preprocessor>(99));
      },
      "controls[0].preprocessor 99");
  refuses(
      [](Control& c) {
        c.set_preprocessor(Control::PREPROCESSOR_CANNY);
        c.set_canny_low(300), c.set_canny_high(200);
      },
      "controls[0].canny_high 200 is not between 300 and 2000");
}

TEST_F(ResolveControlsTest, AModelThatTakesNoneSaysSo) {
  model_.clear_request_fields();
  EXPECT_THAT(Resolve(), StatusIs(kInvalid, "controls"));
  model_.add_request_fields("controls");
  EXPECT_THAT(Resolve(), IsOk());
  control().set_guess_mode(true);
  EXPECT_THAT(Resolve(), StatusIs(kInvalid, "controls.guess_mode"));
}

TEST_F(ResolveControlsTest, AModelThatWasNeverLoadedTakesAnyName) {
  model_.clear_tasks();
  model_.clear_request_fields();
  control().set_name("later");
  EXPECT_THAT(Resolve(), IsOk());
}

TEST_F(ResolveControlsTest, MoreThanEightAreTooMany) {
  for (int i = 0; i < 8; ++i) *request_.add_controls() = control();
  EXPECT_THAT(Resolve(), StatusIs(kInvalid, "controls has 9 entries"));
}

TEST_F(ResolveControlsTest, ImagePromptsAreCheckedToo) {
  v1::ImagePrompt& prompt = *request_.add_image_prompts();
  prompt.set_name("nose");
  EXPECT_THAT(Resolve(), StatusIs(kInvalid, "image_prompts[0].pictures is"));
  prompt.add_pictures()->set_data(picture_);
  EXPECT_THAT(Resolve(), StatusIs(kInvalid, "image_prompts[0].name \"nose\""));
  prompt.set_name("face");
  EXPECT_THAT(Resolve(), IsOk());
  EXPECT_EQ(prompt.weight(), 1);
  prompt.mutable_pictures(0)->set_data("x");
  EXPECT_THAT(Resolve(), StatusIs(kInvalid, "image_prompts[0].pictures[0]"));
}

}  // namespace
}  // namespace genzo
