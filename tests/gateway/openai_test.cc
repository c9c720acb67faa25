#include "tests/gateway/door_test.h"

namespace genzo {
namespace {

using nlohmann::json;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

using OpenAiTest = DoorTest;

TEST_F(OpenAiTest, PaintsForOpenAi) {
  const json answer = Generate({{"prompt", "a fox"},
                                {"model", "gpt-image-1"},
                                {"n", 2},
                                {"size", "64x48"},
                                {"seed", 7},
                                {"num_inference_steps", 5},
                                {"sampler", "DPM++ 2M Karras"},
                                {"response_format", "b64_json"},
                                {"user", nullptr}},
                               "Authorization: Bearer key\r\n");
  EXPECT_EQ(answer["data"].size(), 2u) << answer;
  EXPECT_EQ(answer["data"][1]["b64_json"], kDone);
  EXPECT_EQ(answer["data"][1]["seed"], 8);
  EXPECT_EQ(answer["size"], "64x48");
  EXPECT_EQ(answer["usage"]["output_tokens"], 10);
  const v1::GenerateRequest request = service_.request();
  EXPECT_EQ(request.prompt(), "a fox");
  EXPECT_EQ(request.model(), "emaki");
  EXPECT_EQ(request.width(), 64u);
  EXPECT_EQ(request.height(), 48u);
  EXPECT_EQ(request.steps(), 5u);
  EXPECT_EQ(request.sampler(), v1::SAMPLER_DPMPP_2M);
  EXPECT_EQ(request.schedule(), v1::NOISE_SCHEDULE_KARRAS);
  EXPECT_EQ(service_.Metadata("authorization"), "Bearer key");
}

TEST_F(OpenAiTest, StreamsPartialImages) {
  const RawAnswer answer =
      Ask("POST", "/v1/images/generations",
          R"({"prompt": "a fox", "stream": true, "partial_images": 2})");
  EXPECT_EQ(answer.Header("content-type"), "text/event-stream");
  const auto events = EventsIn(answer.body);
  EXPECT_THAT(NamesOf(events), ElementsAre("image_generation.partial_image",
                                           "image_generation.partial_image",
                                           "image_generation.completed"));
  EXPECT_EQ(events[1].data["partial_image_index"], 1);
  EXPECT_EQ(events[1].data["type"], events[1].name);
  EXPECT_EQ(events[2].data["b64_json"], kDone);
  EXPECT_EQ(events[2].data["usage"]["output_tokens"], 20);
  EXPECT_THAT(service_.request().preview().steps(), ElementsAre(6, 13));
  EXPECT_EQ(service_.request().preview().decoder(), v1::PREVIEW_DECODER_TINY)
      << "of the picture's size";
}

TEST_F(OpenAiTest, ResumesAStreamWithItsKey) {
  const std::string body =
      R"({"prompt": "a fox", "stream": true, "partial_images": 2})";
  const std::string key = "Idempotency-Key: k1\r\n";
  const auto events =
      EventsIn(Ask("POST", "/v1/images/generations", body, key).body);
  ASSERT_EQ(events.size(), 3u);
  const auto rest =
      EventsIn(Ask("POST", "/v1/images/generations", body,
                   absl::StrCat(key, "Last-Event-ID: ", events[1].id, "\r\n"))
                   .body);
  EXPECT_THAT(NamesOf(rest), ElementsAre("image_generation.completed"));
  const auto more =
      EventsIn(Ask("POST", "/v1/images/generations", body,
                   absl::StrCat(key, "Last-Event-ID: ", events[0].id, "\r\n"))
                   .body);
  ASSERT_EQ(more.size(), 2u);
  EXPECT_EQ(more[0].data["partial_image_index"], 1) << "the client has 0";
  EXPECT_EQ(service_.request().request_id().size(), 36u);
  EXPECT_EQ(service_.request().on_disconnect(), v1::ON_DISCONNECT_CONTINUE);
}

TEST_F(OpenAiTest, APreviewThatWasOvertakenLeavesItsNumberOut) {
  service_.Do([](grpc::ServerContext&, const v1::GenerateRequest& request,
                 FakeService::Writer& writer) {
    v1::GenerateRequest plan = request;
    plan.mutable_preview()->clear_steps();
    plan.mutable_preview()->add_steps(request.preview().steps(1));
    FakeService::Paint(plan, writer);
    return grpc::Status::OK;
  });
  const auto events = EventsIn(
      Ask("POST", "/v1/images/generations",
          R"({"prompt": "", "n": 2, "stream": true, "partial_images": 2})")
          .body);
  ASSERT_EQ(events.size(), 4u);
  EXPECT_EQ(events[0].data["partial_image_index"], 1);
  EXPECT_EQ(events[2].data["partial_image_index"], 1);
}

TEST_F(OpenAiTest, ANewStreamBeginsAtItsBeginning) {
  const auto events = EventsIn(Ask("POST", "/v1/images/generations",
                                   R"({"prompt": "a fox", "stream": true})",
                                   "Last-Event-ID: 9999\r\n")
                                   .body);
  EXPECT_THAT(NamesOf(events), ElementsAre("image_generation.completed"));
}

TEST_F(OpenAiTest, TellsImagesOfAStreamApart) {
  const auto events = EventsIn(
      Ask("POST", "/v1/images/generations",
          R"({"prompt": "", "n": 2, "stream": true, "partial_images": 1})")
          .body);
  ASSERT_EQ(events.size(), 4u);
  EXPECT_EQ(events[0].data["image_index"], 0);
  EXPECT_EQ(events[2].data["image_index"], 1);
  EXPECT_EQ(events[2].data["partial_image_index"], 0);
}

TEST_F(OpenAiTest, NamesTheFieldThatIsWrong) {
  for (const auto& [body, param] : std::vector<std::pair<json, std::string>>{
           {{{"n", 1}}, "prompt"},
           {{{"prompt", 5}}, "prompt"},
           {{{"prompt", ""}, {"n", 0}}, "n"},
           {{{"prompt", ""}, {"n", 11}}, "n"},
           {{{"prompt", ""}, {"size", "big"}}, "size"},
           {{{"prompt", ""}, {"size", "64x"}}, "size"},
           {{{"prompt", ""}, {"seed", -2}}, "seed"},
           {{{"prompt", ""}, {"sampler", "best"}}, "sampler"},
           {{{"prompt", ""}, {"background", "transparent"}}, "background"},
           {{{"prompt", ""}, {"partial_images", 1}}, "partial_images"},
           {{{"prompt", ""}, {"stream", true}, {"partial_images", 4}},
            "partial_images"},
           {{{"prompt", ""}, {"stream", true}, {"response_format", "url"}},
            "response_format"},
           {{{"prompt", ""}, {"loras", json::array({1})}}, "loras[0]"},
           {{{"prompt", ""}, {"loras", json::array({"x:y"})}}, "loras[0]"},
           {{{"prompt", ""}, {"promt", "x"}}, "promt"}}) {
    const json answer = Generate(body);
    EXPECT_EQ(answer["error"]["param"], param) << body << answer;
    EXPECT_EQ(answer["error"]["type"], "invalid_request_error");
  }
  EXPECT_EQ(Ask("POST", "/v1/images/generations", "{").status, 400);
}

TEST_F(OpenAiTest, PassesOnWhyTheServiceRefuses) {
  service_.Refuse(
      InvalidFieldsError({{"width", "width 60 is not a multiple of 8"}}));
  const json wrong = Generate({{"prompt", ""}});
  EXPECT_EQ(wrong["error"]["param"], "size");
  EXPECT_EQ(wrong["error"]["message"], "size 60 is not a multiple of 8");
  service_.Refuse(
      RetryLaterError("QUEUE_FULL", "the queue is full", absl::Seconds(3)));
  for (const char* body :
       {R"({"prompt": ""})", R"({"prompt": "", "stream": true})"}) {
    const RawAnswer full = Ask("POST", "/v1/images/generations", body);
    EXPECT_EQ(full.status, 429);
    EXPECT_EQ(full.Header("retry-after"), "3");
    EXPECT_EQ(full.Header("x-ratelimit-remaining-requests"), "0");
    EXPECT_THAT(full.Header("x-request-id"), HasSubstr("req_"));
    EXPECT_THAT(full.body, HasSubstr("rate_limit_error"));
  }
}

TEST_F(OpenAiTest, EndsAStreamWithTheErrorThatEndedTheJob) {
  service_.Do([](grpc::ServerContext&, const v1::GenerateRequest&,
                 FakeService::Writer& writer) {
    v1::JobEvent event;
    event.mutable_queued();
    writer.Write(event);
    return FakeService::ToGrpc(
        ErrorWithReason(absl::StatusCode::kInternal, "NOT_FINITE", "it broke"));
  });
  const auto events = EventsIn(
      Ask("POST", "/v1/images/generations", R"({"prompt": "", "stream": true})")
          .body);
  ASSERT_EQ(events.size(), 1u);
  EXPECT_EQ(events[0].data["error"]["message"], "it broke");
  EXPECT_EQ(events[0].data["error"]["code"], "not_finite");
}

constexpr char kForm[] = "Content-Type: multipart/form-data; boundary=b\r\n";

TEST_F(OpenAiTest, TellsWhatWasLeftOutOfAPictureAndOfTheAnswer) {
  json body = {{"prompt", "a"},
               {"n", 2},
               {"safety", "refuse"},
               {"guidance", {{"textGateStep", 3}}}};
  const json answer = Generate(body);
  ASSERT_EQ(answer["data"].size(), 1u) << answer;
  EXPECT_EQ(answer["data"][0]["approximations"], json({"text_gate"}));
  EXPECT_EQ(answer["withheld"], 1);
  body["stream"] = true;
  const auto events =
      EventsIn(Ask("POST", "/v1/images/generations", body.dump()).body);
  EXPECT_THAT(NamesOf(events),
              ElementsAre("image_generation.completed", "error"));
  EXPECT_EQ(events[1].data["error"]["message"],
            "image 0 was withheld by the server's policy");
  body["n"] = 1;
  body.erase("stream");
  EXPECT_EQ(Generate(body)["error"]["code"], "content_policy_violation");
}

TEST_F(OpenAiTest, EditsAndVaries) {
  const RawAnswer edit = Ask("POST", "/v1/images/edits",
                             FormOf({{"image[]", "bytes"},
                                     {"prompt", "snow"},
                                     {"n", "1"},
                                     {"strength", "0.5"},
                                     {"stream", "true"},
                                     {"partial_images", "1"}}),
                             kForm);
  EXPECT_THAT(NamesOf(EventsIn(edit.body)),
              ElementsAre("image_edit.partial_image", "image_edit.completed"));
  EXPECT_EQ(service_.request().image_to_image().image(), "bytes");
  EXPECT_EQ(service_.request().image_to_image().strength(), 0.5);
  EXPECT_FALSE(service_.request().image_to_image().has_inversion());
  // Half of 20 steps are walked; the look is in their middle.
  EXPECT_THAT(service_.request().preview().steps(), ElementsAre(15));
  EXPECT_EQ(
      Ask("POST", "/v1/images/variations", FormOf({{"image", "x"}}), kForm)
          .status,
      200);
  EXPECT_EQ(service_.request().prompt(), "");
  EXPECT_EQ(service_.request().image_to_image().strength(), 0.6);
}

TEST_F(OpenAiTest, BeginsAtAPicturesOwnNoise) {
  const auto shown = [&] {
    const v1::ImageToImage from = service_.request().image_to_image();
    EXPECT_FALSE(from.has_strength());
    return from.inversion().prompt();
  };
  EXPECT_EQ(Ask("POST", "/v1/images/edits",
                FormOf({{"image", "bytes"},
                        {"prompt", "a cat"},
                        {"source_prompt", "a fox"}}),
                kForm)
                .status,
            200);
  EXPECT_EQ(shown(), "a fox");
  AskJson("POST", "/sdapi/v1/img2img",
          {{"init_images", {"data:image/png;base64,aGk="}},
           {"source_prompt", "a dog"}});
  EXPECT_EQ(shown(), "a dog");
}

// What is transparent in such a mask is painted, and from nothing.
TEST_F(OpenAiTest, EditsWhatAMaskLeavesOpen) {
  const auto ask = [&](std::vector<std::pair<std::string, std::string>> more) {
    more.insert(more.end(),
                {{"image", "bytes"}, {"prompt", "snow"}, {"mask", "hole"}});
    EXPECT_EQ(Ask("POST", "/v1/images/edits", FormOf(more), kForm).status, 200);
    return service_.request();
  };
  const v1::GenerateRequest request = ask({});
  EXPECT_EQ(request.inpainting().mask().data(), "hole");
  EXPECT_TRUE(request.inpainting().mask_is_transparency());
  EXPECT_EQ(request.image_to_image().strength(), 1);
  EXPECT_EQ(ask({{"strength", "0.5"}}).image_to_image().strength(), 0.5);
  const v1::GenerateRequest steered =
      ask({{"mask_blur", "4"},
           {"invert_mask", "true"},
           {"mask_is_transparency", "false"},
           {"extend", "8,0,16,0"},
           {"controls", R"([{"name": "canny", "preprocessor": "inpaint"}])"}});
  EXPECT_EQ(steered.inpainting().mask_blur(), 4u);
  EXPECT_TRUE(steered.inpainting().invert_mask());
  EXPECT_FALSE(steered.inpainting().mask_is_transparency());
  EXPECT_EQ(steered.outpainting().right(), 16u);
  EXPECT_EQ(steered.controls(0).picture().data(), "bytes");
  EXPECT_EQ(Ask("POST", "/v1/images/variations",
                FormOf({{"image", "x"}, {"mask", "hole"}}), kForm)
                .status,
            400);
}

TEST_F(OpenAiTest, NamesWhatAFormLacksOrAsksTooEarly) {
  for (const auto& [form, text] :
       std::vector<std::pair<std::string, std::string>>{
           {FormOf({{"prompt", ""}}), "image is missing"},
           {FormOf({{"image", "x"}}), "prompt is missing"},
           {FormOf(
                {{"image", "x"}, {"prompt", ""}, {"mask", "m"}, {"mask", "m"}}),
            "mask occurs twice"},
           {FormOf({{"image", "x"}, {"image", "y"}, {"prompt", ""}}),
            "several pictures"},
           {FormOf({{"image", "x"}, {"prompt", ""}, {"prompt", ""}}),
            "prompt occurs twice"},
           {FormOf({{"image", "x"}, {"prompt", ""}, {"n", "x"}}),
            "not a whole number"},
           {"--c--\r\n", "boundary"}}) {
    const RawAnswer answer = Ask("POST", "/v1/images/edits", form, kForm);
    EXPECT_EQ(answer.status, 400) << text;
    EXPECT_THAT(answer.body, HasSubstr(text));
  }
  EXPECT_EQ(Ask("POST", "/v1/images/edits", "{}").status, 415);
}

TEST_F(OpenAiTest, GivesLinksThatCanBeFollowed) {
  const json answer = Generate({{"prompt", ""}, {"response_format", "url"}});
  const std::string url = answer["data"][0]["url"];
  EXPECT_THAT(url, HasSubstr("http://localhost/v1/images/files/"));
  const RawAnswer picture = Ask("GET", url.substr(16));
  EXPECT_EQ(picture.body, "done");
  EXPECT_EQ(picture.Header("content-type"), "image/png");
  EXPECT_EQ(Ask("GET", url.substr(16) + "0").status, 403);
}

TEST_F(OpenAiTest, GivesNoLinkThatLeadsToNoHost) {
  const auto ask = [&](const std::string& format) {
    const std::string body =
        json{{"prompt", ""}, {"response_format", format}}.dump();
    RawClient client(port());
    client.Send(
        absl::StrCat("POST /v1/images/generations HTTP/1.0\r\nContent-Type: "
                     "application/json\r\nContent-Length: ",
                     body.size(), "\r\n\r\n", body));
    return client.ReadAnswer();
  };
  const RawAnswer refused = ask("url");
  EXPECT_EQ(refused.status, 400);
  const json error = json::parse(refused.body)["error"];
  EXPECT_EQ(error["param"], "response_format");
  EXPECT_THAT(error["message"].get<std::string>(), HasSubstr("Host"));
  EXPECT_EQ(ask("b64_json").status, 200);
}

TEST_F(OpenAiTest, ListsModelsAndAliases) {
  const json list = AskJson("GET", "/v1/models");
  EXPECT_EQ(list["data"].size(), 3u);
  EXPECT_EQ(list["data"][2]["id"], "gpt-image-1");
  EXPECT_EQ(AskJson("GET", "/v1/models/other")["id"], "other");
  EXPECT_EQ(Ask("GET", "/v1/models/none").status, 404);
}

TEST_F(OpenAiTest, SteersForOpenAi) {
  const json answer = Generate(
      {{"prompt", "a"},
       {"controls",
        {{{"name", "canny"},
          {"image", kDone},
          {"preprocessor", "canny"},
          {"weight", 0.8},
          {"end", 0.5},
          {"canny_low", 50}}}},
       {"image_prompts", {{{"name", "ip"}, {"images", {kDone, kDone}}}}},
       {"guidance", {{"text_gate_step", 5}}},
       {"variation", {{"seed", "3"}, {"strength", 0.25}}},
       {"hires", {{"factor", 1.5}, {"upscale", "latent"}}},
       {"upscaler", "lanczos"},
       {"prompt_syntax", "weighted"},
       {"keep_latents", true},
       {"start_latents", "token"}});
  EXPECT_EQ(answer["data"].size(), 1u) << answer;
  const v1::GenerateRequest request = service_.request();
  ASSERT_EQ(request.controls_size(), 1);
  const v1::ControlInput& control = request.controls(0);
  EXPECT_EQ(control.name(), "canny");
  EXPECT_EQ(control.picture().data(), "done");
  EXPECT_EQ(control.preprocessor(), v1::ControlInput::PREPROCESSOR_CANNY);
  EXPECT_EQ(control.weight(), 0.8);
  EXPECT_EQ(control.end(), 0.5);
  EXPECT_EQ(control.canny_low(), 50u);
  EXPECT_FALSE(control.has_canny_high());
  ASSERT_EQ(request.image_prompts_size(), 1);
  EXPECT_EQ(request.image_prompts(0).pictures_size(), 2);
  EXPECT_EQ(request.guidance().text_gate_step(), 5u);
  EXPECT_EQ(request.variation().seed(), 3u);
  EXPECT_EQ(request.hires().factor(), 1.5);
  EXPECT_EQ(request.output().upscaler(), "lanczos");
  EXPECT_EQ(request.prompt_syntax(), v1::PROMPT_SYNTAX_WEIGHTED);
  EXPECT_TRUE(request.keep_latents());
  EXPECT_EQ(request.start_latents(), "token");
}

TEST_F(OpenAiTest, TakesWhatSomeModelsDo) {
  Generate({{"prompt", "a"},
            {"prompt_2", "b"},
            {"class_label", 3},
            {"noise_level", 40},
            {"sigmas", {9.5, 2}},
            {"churn", {{"amount", 20}}},
            {"refiner", {{"switch_at", 0.7}}},
            {"noise_generator", "cuda"},
            {"priority", "high"},
            {"time_limit", 1.5},
            {"embed_parameters", false}});
  const v1::GenerateRequest request = service_.request();
  EXPECT_EQ(request.prompt_2(), "b");
  EXPECT_EQ(request.class_label(), 3u);
  EXPECT_EQ(request.noise_level(), 40u);
  EXPECT_THAT(request.sigmas(), ElementsAre(9.5, 2));
  EXPECT_EQ(request.churn().amount(), 20);
  EXPECT_EQ(request.refiner().switch_at(), 0.7);
  EXPECT_EQ(request.noise_generator(), v1::NOISE_GENERATOR_CUDA);
  EXPECT_EQ(request.priority(), v1::PRIORITY_HIGH);
  EXPECT_EQ(request.time_limit().seconds(), 1);
  EXPECT_EQ(request.time_limit().nanos(), 500'000'000);
  EXPECT_FALSE(request.output().embed_parameters());
  for (const auto& [field, value] :
       std::vector<std::pair<const char*, json>>{{"class_label", "x"},
                                                 {"sigmas", 3},
                                                 {"churn", {{"amout", 1}}},
                                                 {"noise_generator", "tpu"},
                                                 {"time_limit", -1}}) {
    const json error = Generate({{"prompt", "a"}, {field, value}})["error"];
    EXPECT_THAT(error["param"].get<std::string>(), ::testing::StartsWith(field))
        << error;
    EXPECT_THAT(error["message"].get<std::string>(), HasSubstr(field));
  }
}

TEST_F(OpenAiTest, NamesWhatIsWrongWithWhatSteers) {
  const auto refuses = [&](const json& fields, const std::string& message) {
    json body = fields;
    body["prompt"] = "a";
    EXPECT_THAT(Generate(body)["error"]["message"].get<std::string>(),
                HasSubstr(message));
  };
  const json control = {{"name", "canny"}, {"image", kDone}};
  const auto with = [&](const std::string& field, const json& value) -> json {
    json changed = control;
    changed[field] = value;
    return {{"controls", json::array({changed})}};
  };
  refuses({{"controls", "canny"}}, "controls \"canny\" is not JSON");
  refuses({{"controls", control}}, "controls is not a list");
  refuses({{"controls", {3}}}, "controls[0] 3 is not an object");
  refuses(with("image", nullptr), "controls[0].image is missing");
  refuses(with("image", "?"), "image is not a picture in base64");
  refuses(with("name", nullptr), "name is missing");
  refuses(with("weight", 3), "weight 3 is not a number from 0 to 2");
  refuses(with("preprocessor", "depth"), "preprocessor");
  refuses(with("strength", 1), "strength");
  refuses({{"image_prompts", {{{"name", "ip"}}}}}, "image is missing");
  refuses({{"variation", {{"sed", 1}}}},
          "variation.sed is not a field of this");
  refuses({{"mask_blur", 3}}, "mask_blur");
}

TEST_F(OpenAiTest, ListsWhatIsAskedForByName) {
  const json loras = AskJson("GET", "/v1/loras?model=emaki&page_size=5");
  EXPECT_EQ(loras["object"], "list") << loras;
  ASSERT_EQ(loras["data"].size(), 2u);
  EXPECT_EQ(loras["data"][0]["id"], "ink");
  EXPECT_EQ(loras["data"][0]["object"], "lora");
  EXPECT_EQ(loras["data"][0]["models"], json({"emaki"}));
  EXPECT_EQ(loras["data"][1]["error"]["code"], 3) << "it cannot be used";
  EXPECT_EQ(loras["next_page_token"], "");
  EXPECT_EQ(service_.loras().page_size(), 5);
  const json wrong = AskJson("GET", "/v1/loras?modle=emaki");
  EXPECT_EQ(wrong["error"]["field_violations"][0]["field"], "modle") << wrong;
  EXPECT_EQ(Ask("GET", "/v1/loras?page_size=x").status, 400);
  const json upscalers = AskJson("GET", "/v1/upscalers");
  EXPECT_EQ(upscalers["data"][0]["id"], "realesrgan-x4") << upscalers;
  EXPECT_EQ(upscalers["data"][0]["object"], "upscaler");
  EXPECT_EQ(upscalers["data"][0]["scale"], 4);
}

TEST_F(OpenAiTest, ScoresPictures) {
  const json answer =
      AskJson("POST", "/v1/score",
              {{"prompt", "a fox"},
               {"pictures", {{{"data", kDone}}, {{"data", kDone}}}}});
  EXPECT_EQ(answer["scores"][1]["score"], 1.5) << answer;
  EXPECT_EQ(service_.score().prompt(), "a fox");
  EXPECT_EQ(service_.score().pictures(0).data(), "done");
  const json missing = AskJson("POST", "/v1/score", {{"scorer", "none"}});
  EXPECT_EQ(missing["error"]["reason"], "SCORER_NOT_FOUND") << missing;
  EXPECT_EQ(Ask("POST", "/v1/score", R"({"pictures": 3})").status, 400);
  const json scorers = AskJson("GET", "/v1/scorers");
  EXPECT_EQ(scorers["scorers"],
            json::parse(R"([{"name": "clip", "reads_prompt": true},
                            {"name": "aesthetic", "reads_prompt": false}])"));
}

}  // namespace
}  // namespace genzo
