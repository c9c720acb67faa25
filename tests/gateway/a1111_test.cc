#include <thread>

#include "absl/strings/escaping.h"
#include "absl/synchronization/notification.h"
#include "gateway/a1111_blank.h"
#include "gateway/loras.h"
#include "tests/gateway/door_test.h"

namespace genzo {
namespace {

using nlohmann::json;
using ::testing::ElementsAre;

using A1111Test = DoorTest;

TEST_F(A1111Test, PaintsForA1111) {
  const json answer = AskJson("POST", "/sdapi/v1/txt2img",
                              {{"prompt", "a"},
                               {"steps", 4},
                               {"cfg_scale", 7},
                               {"seed", 5},
                               {"sampler_name", "Euler a"},
                               {"scheduler", "Automatic"},
                               {"batch_size", 2},
                               {"n_iter", 1},
                               {"eta", 1.0},
                               {"styles", json::array()},
                               {"alwayson_scripts", json::object()},
                               {"script_name", nullptr},
                               {"enable_hr", false},
                               {"hr_scale", 2},
                               {"whatever", 1},
                               {"override_settings",
                                {{"sd_model_checkpoint", "other"},
                                 {"CLIP_stop_at_last_layers", 2},
                                 {"sd_vae_decode_method", "TAESD"}}}});
  EXPECT_THAT(answer["images"], ElementsAre(kDone, kDone));
  const json info = json::parse(answer["info"].get<std::string>());
  EXPECT_THAT(info["all_seeds"], ElementsAre(5, 6));
  EXPECT_EQ(info["steps"], 4);
  const v1::GenerateRequest request = service_.request();
  EXPECT_EQ(request.model(), "other");
  EXPECT_EQ(request.clip_skip(), 1u);
  EXPECT_EQ(request.sampler(), v1::SAMPLER_EULER_ANCESTRAL);
  EXPECT_TRUE(request.output().tiny_decoder());
  EXPECT_FALSE(request.has_eta());
  AskJson("POST", "/sdapi/v1/img2img",
          {{"init_images", {"data:image/png;base64,aGk="}},
           {"denoising_strength", 0.4}});
  EXPECT_EQ(service_.request().image_to_image().image(), "hi");
  EXPECT_EQ(service_.request().image_to_image().strength(), 0.4);
}

TEST_F(A1111Test, ReadsA1111sPromptsAndVariations) {
  const json answer = AskJson("POST", "/sdapi/v1/txt2img",
                              {{"prompt", "a (fox:1.2)"},
                               {"seed", 5},
                               {"subseed", 9},
                               {"subseed_strength", 0.25},
                               {"seed_resize_from_w", 515},
                               {"seed_resize_from_h", 512}});
  v1::GenerateRequest request = service_.request();
  EXPECT_EQ(request.prompt_syntax(), v1::PROMPT_SYNTAX_WEIGHTED);
  EXPECT_EQ(request.variation().seed(), 9u);
  EXPECT_EQ(request.variation().strength(), 0.25);
  EXPECT_EQ(request.variation().resize_from_width(), 512u);
  EXPECT_EQ(request.variation().resize_from_height(), 512u);
  const json info = json::parse(answer["info"].get<std::string>());
  EXPECT_EQ(info["subseed"], 9);
  EXPECT_EQ(info["subseed_strength"], 0.25);
  AskJson("POST", "/sdapi/v1/txt2img",
          {{"prompt", "a (fox)"},
           {"subseed", -1},
           {"subseed_strength", 0},
           {"seed_resize_from_w", -1},
           {"seed_resize_from_h", -1},
           {"override_settings", {{"sd_model_checkpoint", "other"}}}});
  request = service_.request();
  EXPECT_EQ(request.prompt_syntax(), v1::PROMPT_SYNTAX_UNSPECIFIED)
      << "that model reads text alone";
  EXPECT_FALSE(request.has_variation());
}

TEST_F(A1111Test, TagsOfA1111sPromptsAreAdapters) {
  v1::GenerateRequest request;
  std::string prompt = "a fox <lora:ink:0.8>, red<lora:line:0.5:1><lora:x>";
  EXPECT_EQ(TakeLoraTags(prompt, request), "");
  EXPECT_EQ(prompt, "a fox , red");
  ASSERT_EQ(request.loras_size(), 3);
  EXPECT_EQ(request.loras(0).name(), "ink");
  EXPECT_EQ(request.loras(0).weight(), 0.8);
  EXPECT_EQ(request.loras(0).text_encoder_weight(), 0.8);
  EXPECT_EQ(request.loras(1).weight(), 1);
  EXPECT_EQ(request.loras(1).text_encoder_weight(), 0.5);
  EXPECT_EQ(request.loras(2).weight(), 1);
  prompt = "<lora:ink:te=0:unet=0.7>";
  EXPECT_EQ(TakeLoraTags(prompt, request), "");
  EXPECT_EQ(request.loras(3).text_encoder_weight(), 0);
  EXPECT_EQ(request.loras(3).weight(), 0.7);
}

// Its refusal would be logged, with a word of the prompt in it.
TEST_F(A1111Test, AnAdapterThatNobodyKnowsDoesNotReachTheService) {
  const json refused =
      AskJson("POST", "/sdapi/v1/txt2img",
              {{"prompt", "a fox <lora:ink:1><lora:secretword:1>"}});
  ASSERT_EQ(refused["detail"].size(), 1u) << refused;
  EXPECT_EQ(refused["detail"][0]["loc"], (json{"body", "prompt"}));
  EXPECT_EQ(refused["detail"][0]["msg"],
            "prompt's <lora:secretword> is no adapter of this server; GET "
            "/sdapi/v1/loras lists them");
  EXPECT_EQ(service_.request().loras_size(), 0) << "it was not asked";
  AskJson("POST", "/sdapi/v1/txt2img", {{"prompt", "a fox <lora:ink:1>"}});
  EXPECT_EQ(service_.request().loras(0).name(), "ink");
}

// With A1111's own defaults for what a body leaves out.
// What A1111 has no words for.
TEST_F(A1111Test, TakesTheOtherDoorsNames) {
  const json answer = AskJson("POST", "/sdapi/v1/img2img",
                              {{"prompt", "a"},
                               {"init_images", {"aGk="}},
                               {"guidance", {{"textGateStep", 3}}},
                               {"guidance_rescale", 0.5},
                               {"keep_latents", true},
                               {"loras", {{{"name", "ink"}, {"end", 0.5}}}},
                               {"extend", {8, 0, 8, 0}}});
  const v1::GenerateRequest request = service_.request();
  EXPECT_EQ(request.guidance().text_gate_step(), 3u) << answer;
  EXPECT_EQ(request.guidance_rescale(), 0.5);
  EXPECT_TRUE(request.keep_latents());
  ASSERT_EQ(request.loras_size(), 1);
  EXPECT_EQ(request.loras(0).end(), 0.5);
  EXPECT_EQ(request.outpainting().right(), 8u);
  const json wrong = AskJson("POST", "/sdapi/v1/txt2img",
                             {{"prompt", "a"}, {"s_min_uncond", 0.5}});
  EXPECT_EQ(wrong["detail"][0]["loc"][1], "s_min_uncond") << wrong;
}

TEST_F(A1111Test, TellsWhatWasLeftOut) {
  const json answer = AskJson("POST", "/sdapi/v1/txt2img",
                              {{"prompt", "a"},
                               {"batch_size", 2},
                               {"safety", "refuse"},
                               {"guidance", {{"textGateStep", 3}}}});
  ASSERT_EQ(answer["images"].size(), 2u) << "one of them black";
  EXPECT_EQ(answer["images"][1], kDone);
  const json info = json::parse(answer["info"].get<std::string>());
  EXPECT_EQ(info["comments"], "1 withheld by the server's policy");
  const json& extra = info["extra_generation_params"];
  EXPECT_EQ(extra["Withheld"], 1);
  EXPECT_EQ(extra["Images"][0]["safety"], "withheld");
  EXPECT_EQ(extra["Images"][1]["approximations"], json({"text_gate"}));
}

// Clients take the first without asking whether there is one.
TEST_F(A1111Test, IsNeverWithoutAPicture) {
  const json answer = AskJson(
      "POST", "/sdapi/v1/txt2img",
      {{"prompt", "a"}, {"width", 24}, {"height", 16}, {"safety", "refuse"}});
  ASSERT_EQ(answer["images"].size(), 1u);
  std::string file;
  ASSERT_TRUE(
      absl::Base64Unescape(answer["images"][0].get<std::string>(), &file));
  EXPECT_EQ(file, BlackPng(24, 16));
  EXPECT_EQ(json::parse(answer["info"].get<std::string>())["comments"],
            "1 withheld by the server's policy");
}

TEST_F(A1111Test, APlainPromptIsNotWeighted) {
  AskJson("POST", "/sdapi/v1/txt2img",
          {{"prompt", "a (fox:1.2)"}, {"prompt_syntax", "plain"}});
  EXPECT_EQ(service_.request().prompt_syntax(), v1::PROMPT_SYNTAX_UNSPECIFIED);
}

TEST_F(A1111Test, SaysThatPromptsAreNotComposed) {
  const json answer =
      AskJson("POST", "/sdapi/v1/txt2img", {{"prompt", "a cat AND a dog"}});
  const json info = json::parse(answer["info"].get<std::string>());
  EXPECT_EQ(info["comments"],
            "prompt has AND, a word like any other here: this server does not "
            "compose prompts");
}

TEST_F(A1111Test, InpaintsForA1111) {
  json body = {{"init_images", {"aGk="}}, {"mask", "bWFzaw=="}};
  AskJson("POST", "/sdapi/v1/img2img", body);
  const v1::Inpainting plain = service_.request().inpainting();
  EXPECT_EQ(plain.mask().data(), "mask");
  EXPECT_EQ(plain.mask_blur(), 4u);
  EXPECT_EQ(plain.fill(), v1::Inpainting::FILL_BLUR);
  EXPECT_TRUE(plain.only_masked());
  EXPECT_EQ(plain.padding(), 0u);
  body.update({{"inpainting_fill", 3},
               {"mask_blur", 7},
               {"inpaint_full_res", false},
               {"inpaint_full_res_padding", 32},
               {"inpainting_mask_invert", 1}});
  AskJson("POST", "/sdapi/v1/img2img", body);
  const v1::Inpainting chosen = service_.request().inpainting();
  EXPECT_EQ(chosen.mask_blur(), 7u);
  EXPECT_EQ(chosen.fill(), v1::Inpainting::FILL_NOTHING);
  EXPECT_FALSE(chosen.only_masked());
  EXPECT_EQ(chosen.padding(), 32u);
  EXPECT_TRUE(chosen.invert_mask());
  // Clients send the rest with every body.
  body.erase("mask");
  AskJson("POST", "/sdapi/v1/img2img", body);
  EXPECT_FALSE(service_.request().has_inpainting());
  EXPECT_EQ(Ask("POST", "/sdapi/v1/txt2img", R"({"mask": "aGk="})").status,
            422);
  body.update({{"mask", "aGk="}, {"inpainting_fill", 4}});
  EXPECT_EQ(Ask("POST", "/sdapi/v1/img2img", body.dump()).status, 422);
}

TEST_F(A1111Test, NamesWhatA1111AsksTooEarly) {
  for (const auto& [body, field] : std::vector<std::pair<json, std::string>>{
           {{{"enable_hr", true}, {"hr_prompt", "x"}}, "hr_prompt"},
           {{{"enable_hr", true}, {"hr_resize_x", 9}}, "hr_resize_y"},
           {{{"enable_hr", true}, {"hr_sampler_name", "x"}}, "hr_sampler_name"},
           {{{"tiling", true}}, "tiling"},
           {{{"restore_faces", true}}, "restore_faces"},
           {{{"styles", {"x"}}}, "styles"},
           {{{"script_name", "x"}}, "script_name"},
           {{{"refiner_checkpoint", "x"}}, "refiner_checkpoint"},
           {{{"override_settings", {{"samples_format", "bmp"}}}},
            "override_settings"},
           {{{"alwayson_scripts", {{"ControlNet", {{"args", {1}}}}}}},
            "alwayson_scripts"},
           {{{"prompt", "a <lora:x:much>"}}, "prompt"},
           {{{"prompt", "a <lora:x"}}, "prompt"},
           {{{"negative_prompt", "a <lora:x:1>"}}, "negative_prompt"},
           {{{"subseed_strength", 1.5}}, "subseed_strength"},
           {{{"sampler_name", "Best"}}, "sampler_name"},
           {{{"steps", 0}}, "steps"}}) {
    const RawAnswer answer = Ask("POST", "/sdapi/v1/txt2img", body.dump());
    EXPECT_EQ(answer.status, 422) << body;
    EXPECT_EQ(json::parse(answer.body)["detail"][0]["loc"][1], field) << body;
  }
  EXPECT_EQ(Ask("POST", "/sdapi/v1/img2img", "{}").status, 422);
  EXPECT_EQ(Ask("POST", "/sdapi/v1/extra-single-image", "{}").status, 422);
  EXPECT_EQ(Ask("POST", "/sdapi/v1/interrogate", "{}").status, 501);
  EXPECT_EQ(Ask("POST", "/sdapi/v1/png-info", R"({"image": "aGk="})").status,
            422);
}

TEST_F(A1111Test, ReadsA1111sNoiseAndSettings) {
  json body = {{"init_images", {kDone}},
               {"s_churn", 20},
               {"s_tmin", 0.1},
               {"s_tmax", 0},
               {"s_noise", 1.1},
               {"image_cfg_scale", 2.5},
               {"refiner_checkpoint", "None"},
               {"override_settings",
                {{"samples_format", "jpg"},
                 {"enable_pnginfo", false},
                 {"randn_source", "NV"}}}};
  AskJson("POST", "/sdapi/v1/img2img", body);
  const v1::GenerateRequest request = service_.request();
  EXPECT_EQ(request.churn().amount(), 20);
  EXPECT_EQ(request.churn().min_sigma(), 0.1);
  EXPECT_FALSE(request.churn().has_max_sigma());
  EXPECT_EQ(request.churn().noise(), 1.1);
  EXPECT_EQ(request.output().format(), v1::IMAGE_FORMAT_JPEG);
  EXPECT_FALSE(request.output().embed_parameters());
  EXPECT_EQ(request.noise_generator(), v1::NOISE_GENERATOR_CUDA);
  // webuiapi sends it to every model.
  EXPECT_FALSE(request.has_image_guidance_scale());
  body["override_settings"] = {{"sd_model_checkpoint", "other"}};
  body["s_churn"] = 0;
  AskJson("POST", "/sdapi/v1/img2img", body);
  EXPECT_EQ(service_.request().image_guidance_scale(), 2.5);
  EXPECT_FALSE(service_.request().has_churn());
}

// A name and a password are all that some clients know.
TEST_F(A1111Test, APasswordIsTheKey) {
  const auto authorization = [&](const std::string& pair) {
    AskJson("GET", "/sdapi/v1/samplers", json(),
            absl::StrCat("Authorization: Basic ", absl::Base64Escape(pair),
                         "\r\n"));
    return service_.Metadata("authorization");
  };
  EXPECT_EQ(authorization("me:key:1"), "Bearer key:1");
  EXPECT_EQ(authorization("me:"), "");
  EXPECT_EQ(authorization("me:\n"), "");
  AskJson("GET", "/sdapi/v1/samplers", json(), "Authorization: Basic ?\r\n");
  EXPECT_EQ(service_.Metadata("authorization"), "");
}

TEST_F(A1111Test, ReadsA1111sSecondPass) {
  AskJson("POST", "/sdapi/v1/txt2img",
          {{"prompt", "a"},
           {"enable_hr", true},
           {"hr_scale", 1.5},
           {"hr_upscaler", "Latent (bicubic)"},
           {"hr_second_pass_steps", 12},
           {"hr_sampler_name", "Euler a"},
           {"denoising_strength", 0.4}});
  const v1::HiresPass hires = service_.request().hires();
  EXPECT_EQ(hires.factor(), 1.5);
  EXPECT_EQ(hires.upscale(), v1::HiresPass::UPSCALE_LATENT_BICUBIC);
  EXPECT_EQ(hires.steps(), 30u) << "of which the last 12 are made";
  EXPECT_EQ(hires.sampler(), v1::SAMPLER_EULER_ANCESTRAL);
  EXPECT_EQ(hires.strength(), 0.4);
  AskJson("POST", "/sdapi/v1/txt2img",
          {{"prompt", "a"},
           {"enable_hr", true},
           {"hr_resize_x", 96},
           {"hr_resize_y", 128},
           {"hr_second_pass_steps", 0},
           {"hr_upscaler", "realesrgan-x4"}});
  const v1::HiresPass by_network = service_.request().hires();
  EXPECT_EQ(by_network.width(), 96u);
  EXPECT_FALSE(by_network.has_factor());
  EXPECT_EQ(by_network.steps(), 27u) << "the model's 20, at 0.75";
  EXPECT_EQ(by_network.upscaler(), "realesrgan-x4");
}

TEST_F(A1111Test, EnlargesAsA1111sExtras) {
  const json list = AskJson("GET", "/sdapi/v1/upscalers");
  EXPECT_EQ(list[1]["name"], "realesrgan-x4");
  EXPECT_EQ(list[1]["scale"], 4);
  EXPECT_EQ(AskJson("GET", "/sdapi/v1/latent-upscale-modes")[0]["name"],
            "Latent");
  const json single = AskJson("POST", "/sdapi/v1/extra-single-image",
                              {{"image", "aGk="},
                               {"upscaler_1", "realesrgan-x4"},
                               {"upscaling_resize", 3}});
  EXPECT_EQ(single["image"], kDone);
  EXPECT_EQ(service_.upscale().picture().data(), "hi");
  EXPECT_EQ(service_.upscale().upscaler(), "realesrgan-x4");
  EXPECT_EQ(service_.upscale().factor(), 3);
  const json batch = AskJson(
      "POST", "/sdapi/v1/extra-batch-images",
      {{"imageList", {{{"data", "aGk="}, {"name", "a"}}, {{"data", "aGk="}}}},
       {"upscaler_1", "Lanczos"},
       {"resize_mode", 1},
       {"upscaling_resize_w", 30},
       {"upscaling_resize_h", 20}});
  EXPECT_THAT(batch["images"], ElementsAre(kDone, kDone));
  EXPECT_EQ(service_.upscale().upscaler(), "lanczos");
  EXPECT_EQ(service_.upscale().width(), 30u);
  EXPECT_FALSE(service_.upscale().has_factor());
  const RawAnswer refused =
      Ask("POST", "/sdapi/v1/extra-single-image",
          R"({"image": "aGk=", "upscaler_1": "x", "upscaling_resize": 17})");
  EXPECT_EQ(refused.status, 422);
  EXPECT_EQ(json::parse(refused.body)["detail"][0]["loc"][1],
            "upscaling_resize");
}

TEST_F(A1111Test, CountsABatchBeforeItReadsIt) {
  for (const auto& [list, what] : std::vector<std::pair<json, std::string>>{
           {5, "imageList 5 is not a list"},
           {nullptr, "imageList is missing"},
           {json::array(), "imageList has 0 pictures, which is not 1 to 64"},
           {json(65, "?"), "imageList has 65 pictures, which is not 1 to 64"},
           {json::array({"?"}),
            "imageList[0].data is not a picture in base64"}}) {
    const json refused =
        AskJson("POST", "/sdapi/v1/extra-batch-images", {{"imageList", list}});
    ASSERT_EQ(refused["detail"].size(), 1u) << refused;
    EXPECT_EQ(refused["detail"][0]["msg"], what);
  }
}

TEST_F(A1111Test, ListsWhatA1111sClientsAskFor) {
  const json samplers = AskJson("GET", "/sdapi/v1/samplers");
  EXPECT_EQ(samplers[0]["name"], "DPM++ 2M");
  EXPECT_EQ(samplers[0]["aliases"][1], "DPM++ 2M Karras");
  EXPECT_EQ(AskJson("GET", "/sdapi/v1/schedulers")[1]["label"], "Karras");
  EXPECT_EQ(AskJson("GET", "/sdapi/v1/sd-models")[0]["title"], "emaki");
  EXPECT_EQ(
      AskJson("GET", "/sdapi/v1/embeddings")["loaded"]["<castle>"]["vectors"],
      2);
  const json loras = AskJson("GET", "/sdapi/v1/loras");
  ASSERT_EQ(loras.size(), 1u);  // without the one that cannot be used
  EXPECT_EQ(loras[0]["name"], "ink");
  for (const char* empty : {"sd-vae"}) {
    AskJson("GET", absl::StrCat("/sdapi/v1/", empty));
  }
  const std::string options = "/sdapi/v1/options";
  EXPECT_EQ(AskJson("GET", options)["sd_model_checkpoint"], "emaki");
  const std::string me = "Authorization: Bearer me\r\n";
  EXPECT_EQ(
      Ask("POST", options, R"({"sd_model_checkpoint": "other"})", me).status,
      200);
  const RawAnswer unknown =
      Ask("POST", options, R"({"sd_model_checkpoint": "x"})", me);
  EXPECT_EQ(unknown.status, 404);
  EXPECT_EQ(json::parse(unknown.body)["detail"][0]["loc"],
            (json{"body", "sd_model_checkpoint"}));
  EXPECT_EQ(AskJson("GET", options, json(), me)["sd_model_checkpoint"],
            "other");
  // Another caller's choice is their own.
  EXPECT_EQ(AskJson("GET", options)["sd_model_checkpoint"], "emaki");
  AskJson("POST", "/sdapi/v1/txt2img", {{"prompt", ""}}, me);
  EXPECT_EQ(service_.request().model(), "other");
}

TEST_F(A1111Test, KeepsTheSettingsOfItsOptions) {
  const std::string options = "/sdapi/v1/options";
  const std::string me = "Authorization: Bearer me\r\n";
  EXPECT_EQ(Ask("POST", options,
                R"({"CLIP_stop_at_last_layers": 2, "samples_format": "jpg",
                    "sd_vae": "Automatic", "show_progressbar": true})",
                me)
                .status,
            200);
  EXPECT_EQ(AskJson("GET", options, json(), me)["samples_format"], "jpg");
  EXPECT_EQ(AskJson("GET", options)["samples_format"], "png");
  AskJson("POST", "/sdapi/v1/txt2img",
          {{"prompt", ""}, {"override_settings", {{"samples_format", "webp"}}}},
          me);
  EXPECT_EQ(service_.request().clip_skip(), 1u);
  EXPECT_EQ(service_.request().output().format(), v1::IMAGE_FORMAT_WEBP)
      << "of one request";
  for (const char* wrong :
       {R"({"sd_vae": "zzz"})", R"({"samples_format": "gif"})"}) {
    EXPECT_EQ(Ask("POST", options, wrong, me).status, 422) << wrong;
  }
}

TEST_F(A1111Test, TellsTheMemoryOfItsProcess) {
  const json memory = AskJson("GET", "/sdapi/v1/memory");
  const json& ram = memory["ram"];
  EXPECT_GT(ram["used"], 1 << 20);
  EXPECT_EQ(ram["used"].get<int64_t>() + ram["free"].get<int64_t>(),
            ram["total"]);
  EXPECT_TRUE(memory["cuda"]["error"].is_string());
}

class A1111EndsTest : public A1111Test,
                      public ::testing::WithParamInterface<
                          std::pair<const char*, const char*>> {};
INSTANTIATE_TEST_SUITE_P(Ways, A1111EndsTest,
                         ::testing::Values(std::pair("interrupt", "{}"),
                                           std::pair("skip", "null")));

TEST_P(A1111EndsTest, TellsProgressAndEndsWithTheLastLook) {
  const auto [way, told] = GetParam();
  absl::Notification began;
  service_.Do([&](grpc::ServerContext& context, const v1::GenerateRequest&,
                  FakeService::Writer& writer) {
    v1::JobEvent event;
    auto& resolved = *event.mutable_started()->mutable_resolved();
    resolved.set_steps(4);
    resolved.set_seed(77);
    resolved.set_width(128);
    writer.Write(event);
    event.mutable_preview()->mutable_picture()->set_data("look");
    event.mutable_preview()->mutable_picture()->set_size_bytes(4);
    writer.Write(event);
    event.mutable_progress()->set_step(1);
    event.mutable_progress()->set_steps(4);
    writer.Write(event);
    began.Notify();
    while (!context.IsCancelled()) std::this_thread::yield();
    return grpc::Status::CANCELLED;
  });
  RawClient painter(port());
  painter.Send(
      "POST /sdapi/v1/txt2img HTTP/1.1\r\nHost: localhost\r\nContent-Type: "
      "application/json\r\nContent-Length: 2\r\n\r\n{}");
  began.WaitForNotification();
  json progress;
  do {
    progress = AskJson("GET", "/sdapi/v1/progress");
  } while (progress["progress"] == 0.0);
  EXPECT_EQ(progress["progress"], 0.25);
  EXPECT_EQ(progress["state"]["job_count"], 1);
  EXPECT_EQ(progress["state"]["sampling_step"], 1);
  EXPECT_EQ(progress["current_image"], "bG9vaw==");
  // Nothing of it for others.
  EXPECT_EQ(AskJson("GET", "/sdapi/v1/progress", json(),
                    "X-Genzo-Tenant: other\r\n")["state"]["job_count"],
            0);
  const RawAnswer ended = Ask("POST", absl::StrCat("/sdapi/v1/", way));
  EXPECT_EQ(ended.status, 200);
  EXPECT_EQ(ended.body, told);
  const RawAnswer answer = painter.ReadAnswer();
  EXPECT_EQ(answer.status, 200);
  EXPECT_EQ(json::parse(answer.body)["images"][0], "bG9vaw==");
  const json info =
      json::parse(json::parse(answer.body)["info"].get<std::string>());
  EXPECT_EQ(info["seed"], 77) << "as drawn, to paint it to its end";
  EXPECT_EQ(info["width"], 128);
}

TEST_F(A1111Test, OptionsAndPicturesTextsAreForThoseWhoMayCall) {
  service_.RefuseLists(absl::UnauthenticatedError("no key"));
  EXPECT_EQ(
      Ask("POST", "/sdapi/v1/options", R"({"samples_format": "jpg"})").status,
      401);
  EXPECT_EQ(Ask("POST", "/sdapi/v1/png-info", R"({"image": "aGk="})").status,
            401);
  service_.RefuseLists(absl::OkStatus());
  EXPECT_EQ(AskJson("GET", "/sdapi/v1/options")["samples_format"], "png");
}

}  // namespace
}  // namespace genzo
