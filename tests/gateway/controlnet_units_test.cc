#include "tests/gateway/door_test.h"

namespace genzo {
namespace {

using nlohmann::json;
using ::testing::HasSubstr;

using ControlNetUnitsTest = DoorTest;

// As sd-webui-controlnet's API takes them; the pictures are "hi" and "ho".
TEST_F(ControlNetUnitsTest, ReadsControlNetUnitsOfA1111) {
  const json args = {
      {{"enabled", true},
       {"module", "canny"},
       {"model", "control_v11p_sd15_canny [d14c016b]"},
       {"image", "data:image/png;base64,aGk="},
       {"weight", 0.75},
       {"guidance_start", 0.25},
       {"guidance_end", 0.5},
       {"threshold_a", 50},
       {"threshold_b", -1},
       {"control_mode", "ControlNet is more important"},
       {"pixel_perfect", true},
       {"resize_mode", "Resize and Fill"}},
      {{"model", "depth"}, {"input_image", "aG8="}, {"control_mode", 0}},
      {{"enabled", false}, {"module", "what"}},
      nullptr,
      {{"module", "ip-adapter_clip_sd15"},
       {"model", "ip-adapter_sd15 [6a3f6166]"},
       {"image", {{"image", "aGk="}, {"mask", nullptr}}},
       {"weight", 0.5}}};
  const json answer =
      AskJson("POST", "/sdapi/v1/txt2img",
              {{"prompt", "a"},
               {"alwayson_scripts", {{"controlnet", {{"args", args}}}}}});
  const v1::GenerateRequest request = service_.request();
  ASSERT_EQ(request.controls_size(), 2);
  const v1::ControlInput& canny = request.controls(0);
  EXPECT_EQ(canny.name(), "control_v11p_sd15_canny");
  EXPECT_EQ(canny.preprocessor(), v1::ControlInput::PREPROCESSOR_CANNY);
  EXPECT_EQ(canny.picture().data(), "hi");
  EXPECT_EQ(canny.weight(), 0.75);
  EXPECT_EQ(canny.start(), 0.25);
  EXPECT_EQ(canny.end(), 0.5);
  EXPECT_EQ(canny.canny_low(), 50u);
  EXPECT_FALSE(canny.has_canny_high());
  EXPECT_TRUE(canny.guess_mode());
  EXPECT_EQ(canny.resize_mode(), v1::RESIZE_MODE_FILL);
  EXPECT_EQ(request.controls(1).resize_mode(), v1::RESIZE_MODE_CROP);
  EXPECT_EQ(request.controls(1).name(), "depth");
  EXPECT_EQ(request.controls(1).picture().data(), "ho");
  EXPECT_FALSE(request.controls(1).guess_mode());
  ASSERT_EQ(request.image_prompts_size(), 1);
  EXPECT_EQ(request.image_prompts(0).name(), "ip-adapter_sd15");
  EXPECT_EQ(request.image_prompts(0).pictures(0).data(), "hi");
  const json& shown =
      answer["parameters"]["alwayson_scripts"]["controlnet"]["args"];
  EXPECT_EQ(shown[0]["image"], nullptr) << "pictures are not sent back";
  EXPECT_EQ(shown[0]["model"], args[0]["model"]);
}

TEST_F(ControlNetUnitsTest, AControlNetUnitMayFollowThePictureOfImg2Img) {
  AskJson("POST", "/sdapi/v1/img2img",
          {{"init_images", {"aGk="}},
           {"controlnet_units",
            {{{"module", "tile_resample"}, {"model", "tile"}}}}});
  const v1::GenerateRequest request = service_.request();
  ASSERT_EQ(request.controls_size(), 1);
  EXPECT_EQ(request.controls(0).picture().data(), "hi");
  EXPECT_EQ(request.controls(0).preprocessor(),
            v1::ControlInput::PREPROCESSOR_TILE);
  EXPECT_EQ(request.controls(0).resize_mode(), v1::RESIZE_MODE_UNSPECIFIED)
      << "as the request's own picture";
}

// As webuiapi says that a unit has no picture.
TEST_F(ControlNetUnitsTest, AnEmptyPictureIsNone) {
  for (const json& picture : {json(""), json({{"image", ""}})}) {
    const json unit = {{"model", "canny"}, {"image", picture}};
    const RawAnswer answer =
        Ask("POST", "/sdapi/v1/img2img",
            json{{"init_images", {"aGk="}},
                 {"alwayson_scripts", {{"controlnet", {{"args", {unit}}}}}}}
                .dump());
    EXPECT_EQ(answer.status, 200) << answer.body;
    EXPECT_EQ(service_.request().controls(0).picture().data(), "hi");
  }
}

TEST_F(ControlNetUnitsTest, AnIpAdapterWorksInAllSteps) {
  for (const json& field :
       {json{{"guidance_end", 0.5}}, json{{"guidance_start", 0.5}},
        json{{"control_mode", 2}}, json{{"mask", "aGk="}}}) {
    json unit = {
        {"model", "plus"}, {"module", "ip-adapter"}, {"image", "aGk="}};
    unit.update(field);
    const RawAnswer answer =
        Ask("POST", "/sdapi/v1/txt2img",
            json{{"alwayson_scripts", {{"controlnet", {{"args", {unit}}}}}}}
                .dump());
    EXPECT_EQ(answer.status, 422) << unit;
    EXPECT_THAT(answer.body, HasSubstr(field.begin().key()));
  }
}

TEST_F(ControlNetUnitsTest, NamesWhatIsWrongWithAControlNetUnit) {
  const json sound = {{"model", "canny"}, {"image", "aGk="}};
  for (const auto& [change, what] : std::vector<std::pair<json, std::string>>{
           {{{"model", "None"}}, "model is missing"},
           {{{"image", nullptr}}, "image is missing"},
           {{{"image", "!"}}, "image is not a picture"},
           {{{"image", nullptr}, {"input_image", "!"}},
            "args[1].input_image is not a picture"},
           {{{"image", {{"image", "!"}}}},
            "args[1].image.image is not a picture"},
           {{{"module", "depth_midas"}}, "module \"depth_midas\" is not"},
           {{{"weight", 3}}, "weight 3"},
           {{{"guidance_end", 2}}, "guidance_end 2"},
           {{{"module", "inpaint_only"}, {"mask", "aGk="}}, "mask is given"},
           {{{"module", "canny"}, {"mask", "aGk="}}, "mask is given"},
           {{{"image", {{"image", "aGk="}, {"mask", "aGk="}}}},
            "mask is given"},
           {{{"effective_region_mask", "aGk="}}, "effective_region_mask"},
           {{{"control_mode", 1}}, "control_mode 1 is not"}}) {
    json unit = sound;
    unit.update(change);
    const json body = {
        {"alwayson_scripts", {{"ControlNet", {{"args", {nullptr, unit}}}}}}};
    const RawAnswer answer = Ask("POST", "/sdapi/v1/txt2img", body.dump());
    EXPECT_EQ(answer.status, 422) << body;
    EXPECT_THAT(answer.body, HasSubstr("args[1]"));
    EXPECT_THAT(json::parse(answer.body)["detail"][0]["msg"].get<std::string>(),
                HasSubstr(what));
  }
}

TEST_F(ControlNetUnitsTest, ListsControlNetsModelsAndModules) {
  EXPECT_EQ(AskJson("GET", "/controlnet/model_list"),
            (json{{"model_list", {"canny", "ip-adapter"}}}));
  EXPECT_THAT(AskJson("GET", "/controlnet/module_list")["module_list"],
              ::testing::Contains("canny"));
  EXPECT_EQ(AskJson("GET", "/controlnet/version")["version"], 2);
}

}  // namespace
}  // namespace genzo
