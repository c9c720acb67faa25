// Control networks and image prompts of real requests, with a tiny model.

#include <limits>

#include "tests/testing/matchers.h"
#include "tests/testing/pictures.h"
#include "tests/testing/server.h"
#include "tests/testing/tiny_control.h"

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
  grpc::ClientContext context;
  v1::GetModelRequest request;
  request.set_id("tiny");
  v1::Model model;
  ASSERT_TRUE(v1::ModelRegistry::NewStub(server.Channel())
                  ->GetModel(&context, request, &model)
                  .ok());
  EXPECT_THAT(model.controlnets(), ::testing::ElementsAre("canny"));
  EXPECT_THAT(model.request_fields(), ::testing::Contains("controls"));
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

}  // namespace
}  // namespace genzo
