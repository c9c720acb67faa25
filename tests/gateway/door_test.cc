#include "gateway/door.h"

#include <thread>

#include "absl/strings/escaping.h"
#include "absl/strings/str_split.h"
#include "absl/synchronization/barrier.h"
#include "absl/synchronization/notification.h"
#include "gateway/figures_page.h"
#include "gateway/loras.h"
#include "grpcpp/create_channel.h"
#include "tests/gateway/fake_service.h"
#include "tests/gateway/raw_client.h"
#include "tests/testing/matchers.h"

namespace genzo {
namespace {

using nlohmann::json;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr char kDone[] = "ZG9uZQ==";  // "done"
constexpr char kJob[] = "0123456789abcdef0123456789abcdef";

// A door before a fake service.
class DoorTest : public ::testing::Test {
 protected:
  DoorTest() : door_(Open()) {}

  std::unique_ptr<HttpDoor> Open() {
    HttpConfig config;
    config.listen = "127.0.0.1:0";
    config.model_aliases = {{"gpt-image-1", "emaki"}};
    auto door = HttpDoor::Start(config, service_.Channel(), Clock::Real(),
                                {.metrics = &metrics_});
    EXPECT_THAT(door, IsOk());
    return *std::move(door);
  }

  int port() const { return std::stoi(door_->url().substr(17)); }

  RawAnswer Ask(const std::string& method, const std::string& path,
                const std::string& body = "", const std::string& headers = "") {
    RawClient client(port());
    return client.Ask(method, path, body, headers);
  }
  json AskJson(const std::string& method, const std::string& path,
               const json& body = json(), const std::string& headers = "") {
    const RawAnswer answer =
        Ask(method, path, body.is_null() ? "" : body.dump(), headers);
    const json parsed = json::parse(answer.body, nullptr, false);
    EXPECT_FALSE(parsed.is_discarded()) << answer.body;
    return parsed;
  }
  json Generate(const json& body, const std::string& headers = "") {
    return AskJson("POST", "/v1/images/generations", body, headers);
  }

  Metrics metrics_;
  FakeService service_;
  std::unique_ptr<HttpDoor> door_;
};

struct Event {
  std::string name;
  std::string id;
  json data;
};

// The events in the body of a stream.
std::vector<Event> EventsIn(const std::string& body) {
  std::vector<Event> events;
  for (const absl::string_view text :
       absl::StrSplit(body, "\n\n", absl::SkipEmpty())) {
    Event event;
    for (const absl::string_view line : absl::StrSplit(text, '\n')) {
      const std::pair<std::string, std::string> field =
          absl::StrSplit(line, absl::MaxSplits(": ", 1));
      if (field.first == "event") event.name = field.second;
      if (field.first == "id") event.id = field.second;
      if (field.first == "data") event.data = json::parse(field.second);
    }
    events.push_back(std::move(event));
  }
  return events;
}

std::vector<std::string> NamesOf(const std::vector<Event>& events) {
  std::vector<std::string> names;
  for (const Event& event : events) names.push_back(event.name);
  return names;
}

TEST_F(DoorTest, PaintsForOpenAi) {
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

TEST_F(DoorTest, CountsByRouteAndPassesTracesOn) {
  const std::string trace =
      "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
  const RawAnswer answer = Ask("GET", "/v1/jobs/" + std::string(kJob), "",
                               "traceparent: " + trace + "\r\n");
  EXPECT_THAT(answer.head, HasSubstr("traceparent: " + trace));
  Ask("GET", "/nowhere");
  door_.reset();
  const std::string text = metrics_.Text();
  EXPECT_THAT(text, HasSubstr("route=\"/v1/jobs/{}\""));
  EXPECT_THAT(text, HasSubstr("genzo_http_requests_total{code=\"404\",route="
                              "\"none\"} 1"));
  EXPECT_THAT(text, HasSubstr("genzo_http_requests_in_flight 0"));
}

TEST_F(DoorTest, StreamsPartialImages) {
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
}

TEST_F(DoorTest, ResumesAStreamWithItsKey) {
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
  EXPECT_EQ(service_.request().request_id().size(), 36u);
  EXPECT_EQ(service_.request().on_disconnect(), v1::ON_DISCONNECT_CONTINUE);
}

TEST_F(DoorTest, TellsImagesOfAStreamApart) {
  const auto events = EventsIn(
      Ask("POST", "/v1/images/generations",
          R"({"prompt": "", "n": 2, "stream": true, "partial_images": 1})")
          .body);
  ASSERT_EQ(events.size(), 4u);
  EXPECT_EQ(events[0].data["image_index"], 0);
  EXPECT_EQ(events[2].data["image_index"], 1);
  EXPECT_EQ(events[2].data["partial_image_index"], 0);
}

TEST_F(DoorTest, NamesTheFieldThatIsWrong) {
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
           {{{"prompt", ""}, {"loras", json::array({1})}}, "loras"},
           {{{"prompt", ""}, {"loras", json::array({"x:y"})}}, "loras"},
           {{{"prompt", ""}, {"promt", "x"}}, "promt"}}) {
    const json answer = Generate(body);
    EXPECT_EQ(answer["error"]["param"], param) << body << answer;
    EXPECT_EQ(answer["error"]["type"], "invalid_request_error");
  }
  EXPECT_EQ(Ask("POST", "/v1/images/generations", "{").status, 400);
}

TEST_F(DoorTest, PassesOnWhyTheServiceRefuses) {
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

TEST_F(DoorTest, EndsAStreamWithTheErrorThatEndedTheJob) {
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

std::string FormOf(
    const std::vector<std::pair<std::string, std::string>>& parts) {
  std::string body;
  for (const auto& [name, content] : parts) {
    absl::StrAppend(&body, "--b\r\nContent-Disposition: form-data; name=\"",
                    name, "\"\r\n\r\n", content, "\r\n");
  }
  return absl::StrCat(body, "--b--\r\n");
}
constexpr char kForm[] = "Content-Type: multipart/form-data; boundary=b\r\n";

TEST_F(DoorTest, EditsAndVaries) {
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

TEST_F(DoorTest, BeginsAtAPicturesOwnNoise) {
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
TEST_F(DoorTest, EditsWhatAMaskLeavesOpen) {
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

TEST_F(DoorTest, NamesWhatAFormLacksOrAsksTooEarly) {
  for (const auto& [form, text] :
       std::vector<std::pair<std::string, std::string>>{
           {FormOf({{"prompt", ""}}), "image is missing"},
           {FormOf({{"image", "x"}}), "prompt is missing"},
           {FormOf(
                {{"image", "x"}, {"prompt", ""}, {"mask", "m"}, {"mask", "m"}}),
            "mask"},
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

TEST_F(DoorTest, GivesLinksThatCanBeFollowed) {
  const json answer = Generate({{"prompt", ""}, {"response_format", "url"}});
  const std::string url = answer["data"][0]["url"];
  EXPECT_THAT(url, HasSubstr("http://localhost/v1/images/files/"));
  const RawAnswer picture = Ask("GET", url.substr(16));
  EXPECT_EQ(picture.body, "done");
  EXPECT_EQ(picture.Header("content-type"), "image/png");
  EXPECT_EQ(Ask("GET", url.substr(16) + "0").status, 403);
}

TEST_F(DoorTest, ListsModelsAndAliases) {
  const json list = AskJson("GET", "/v1/models");
  EXPECT_EQ(list["data"].size(), 3u);
  EXPECT_EQ(list["data"][2]["id"], "gpt-image-1");
  EXPECT_EQ(AskJson("GET", "/v1/models/other")["id"], "other");
  EXPECT_EQ(Ask("GET", "/v1/models/none").status, 404);
}

TEST_F(DoorTest, CancelsTheJobOfAClientThatLeaves) {
  for (const char* body :
       {R"({"prompt": ""})", R"({"prompt": "", "stream": true})"}) {
    absl::Notification began, cancelled;
    service_.Do([&](grpc::ServerContext& context, const v1::GenerateRequest&,
                    FakeService::Writer& writer) {
      v1::JobEvent event;
      event.mutable_progress();
      writer.Write(event);
      began.Notify();
      while (!context.IsCancelled()) std::this_thread::yield();
      cancelled.Notify();
      return grpc::Status::CANCELLED;
    });
    RawClient client(port());
    client.Send(absl::StrCat(
        "POST /v1/images/generations HTTP/1.1\r\nHost: x\r\nContent-Type: "
        "application/json\r\nContent-Length: ",
        strlen(body), "\r\n\r\n", body));
    began.WaitForNotification();
    client.Close();
    cancelled.WaitForNotification();
  }
}

TEST_F(DoorTest, ServesManyStreamsAtOnce) {
  constexpr int kReaders = 200;
  absl::Barrier here(kReaders);
  service_.Do([&](grpc::ServerContext&, const v1::GenerateRequest& request,
                  FakeService::Writer& writer) {
    here.Block();
    FakeService::Paint(request, writer);
    return grpc::Status::OK;
  });
  std::vector<std::unique_ptr<RawClient>> clients;
  const std::string body =
      R"({"prompt": "", "stream": true, "partial_images": 3})";
  for (int i = 0; i < kReaders; ++i) {
    clients.push_back(std::make_unique<RawClient>(port()));
    clients.back()->Send(absl::StrCat(
        "POST /v1/images/generations HTTP/1.1\r\nHost: x\r\nContent-Type: "
        "application/json\r\nContent-Length: ",
        body.size(), "\r\n\r\n", body));
  }
  for (const auto& client : clients) {
    EXPECT_EQ(EventsIn(client->ReadAnswer().body).size(), 4u);
  }
}

TEST_F(DoorTest, ServesJobs) {
  const RawAnswer created =
      Ask("POST", "/v1/jobs", R"({"request": {"prompt": "a", "steps": 3}})",
          "Idempotency-Key: k\r\n");
  EXPECT_EQ(created.status, 201);
  EXPECT_EQ(created.Header("location"), absl::StrCat("/v1/jobs/", kJob));
  EXPECT_EQ(service_.request().steps(), 3u);
  EXPECT_EQ(service_.request().request_id().size(), 36u);
  EXPECT_EQ(Ask("POST", "/v1/jobs",
                R"({"request": {"prompt": "a"}, "validate_only": true})")
                .status,
            200);
  EXPECT_EQ(AskJson("GET", "/v1/jobs/abc")["state"], "JOB_STATE_SUCCEEDED");
  EXPECT_EQ(AskJson("DELETE", "/v1/jobs/abc")["state"], "JOB_STATE_CANCELLED");
  EXPECT_EQ(AskJson("GET", "/v1/jobs?page_token=t")["jobs"][0]["id"], "t");
  EXPECT_EQ(Ask("GET", "/v1/jobs?states=BEST").status, 400);
  const RawAnswer unknown = Ask("GET", "/v1/jobs/unknown");
  EXPECT_EQ(unknown.status, 404);
  EXPECT_THAT(unknown.body, HasSubstr("JOB_UNKNOWN"));
  const json wrong =
      json::parse(Ask("POST", "/v1/jobs", R"({"request": {"step": 1}})").body);
  ASSERT_TRUE(wrong["error"].contains("field_violations")) << wrong;
  EXPECT_THAT(wrong["error"]["field_violations"][0]["field"].get<std::string>(),
              HasSubstr("step"));
}

TEST_F(DoorTest, StreamsTheEventsOfAJobFromWhereTheReaderWas) {
  const RawAnswer answer =
      Ask("GET", "/v1/jobs/abc/events", "", "Last-Event-ID: 7\r\n");
  EXPECT_EQ(service_.watch().id(), "abc");
  EXPECT_EQ(service_.watch().after_sequence(), 7u);
  const auto events = EventsIn(answer.body);
  EXPECT_THAT(NamesOf(events),
              ElementsAre("queued", "started", "image", "ended"));
  EXPECT_EQ(events[2].id, "3");
  EXPECT_EQ(events[2].data["image"]["picture"]["data"], kDone);
}

TEST_F(DoorTest, PaintsForA1111) {
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

TEST_F(DoorTest, ReadsA1111sPromptsAndVariations) {
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

TEST_F(DoorTest, TagsOfA1111sPromptsAreAdapters) {
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

// As sd-webui-controlnet's API takes them; the pictures are "hi" and "ho".
TEST_F(DoorTest, ReadsControlNetUnitsOfA1111) {
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
       {"resize_mode", "Crop and Resize"}},
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

TEST_F(DoorTest, AControlNetUnitMayFollowThePictureOfImg2Img) {
  AskJson("POST", "/sdapi/v1/img2img",
          {{"init_images", {"aGk="}},
           {"controlnet_units",
            {{{"module", "tile_resample"}, {"model", "tile"}}}}});
  const v1::GenerateRequest request = service_.request();
  ASSERT_EQ(request.controls_size(), 1);
  EXPECT_EQ(request.controls(0).picture().data(), "hi");
  EXPECT_EQ(request.controls(0).preprocessor(),
            v1::ControlInput::PREPROCESSOR_TILE);
}

TEST_F(DoorTest, NamesWhatIsWrongWithAControlNetUnit) {
  const json sound = {{"model", "canny"}, {"image", "aGk="}};
  for (const auto& [change, what] : std::vector<std::pair<json, std::string>>{
           {{{"model", "None"}}, "model is missing"},
           {{{"image", nullptr}}, "image is missing"},
           {{{"image", "!"}}, "image is not a picture"},
           {{{"module", "depth_midas"}}, "module \"depth_midas\" is not"},
           {{{"weight", 3}}, "weight 3"},
           {{{"guidance_end", 2}}, "guidance_end 2"},
           {{{"module", "inpaint_only"}, {"mask", "aGk="}}, "mask is given"},
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

TEST_F(DoorTest, ListsControlNetsModelsAndModules) {
  EXPECT_EQ(AskJson("GET", "/controlnet/model_list"),
            (json{{"model_list", {"canny", "ip-adapter"}}}));
  EXPECT_THAT(AskJson("GET", "/controlnet/module_list")["module_list"],
              ::testing::Contains("canny"));
  EXPECT_EQ(AskJson("GET", "/controlnet/version")["version"], 2);
}

// With A1111's own defaults for what a body leaves out.
TEST_F(DoorTest, InpaintsForA1111) {
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

TEST_F(DoorTest, NamesWhatA1111AsksTooEarly) {
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

TEST_F(DoorTest, ReadsA1111sNoiseAndSettings) {
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
TEST_F(DoorTest, APasswordIsTheKey) {
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

TEST_F(DoorTest, ReadsA1111sSecondPass) {
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
  EXPECT_EQ(hires.steps(), 12u);
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
  EXPECT_FALSE(by_network.has_steps());
  EXPECT_EQ(by_network.upscaler(), "realesrgan-x4");
}

TEST_F(DoorTest, EnlargesAsA1111sExtras) {
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

TEST_F(DoorTest, ListsWhatA1111sClientsAskFor) {
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
  EXPECT_EQ(Ask("POST", options, R"({"sd_model_checkpoint": "x"})", me).status,
            404);
  EXPECT_EQ(AskJson("GET", options, json(), me)["sd_model_checkpoint"],
            "other");
  // Another caller's choice is their own.
  EXPECT_EQ(AskJson("GET", options)["sd_model_checkpoint"], "emaki");
  AskJson("POST", "/sdapi/v1/txt2img", {{"prompt", ""}}, me);
  EXPECT_EQ(service_.request().model(), "other");
}

TEST_F(DoorTest, TellsProgressAndInterrupts) {
  absl::Notification began;
  service_.Do([&](grpc::ServerContext& context, const v1::GenerateRequest&,
                  FakeService::Writer& writer) {
    v1::JobEvent event;
    event.mutable_started()->mutable_resolved()->set_steps(4);
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
      "POST /sdapi/v1/txt2img HTTP/1.1\r\nHost: x\r\nContent-Type: "
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
  EXPECT_EQ(Ask("POST", "/sdapi/v1/interrupt").status, 200);
  const RawAnswer answer = painter.ReadAnswer();
  EXPECT_EQ(answer.status, 200);
  EXPECT_EQ(json::parse(answer.body)["images"][0], "bG9vaw==");
}

json Rpc(const std::string& method, const json& params) {
  return {
      {"jsonrpc", "2.0"}, {"id", 1}, {"method", method}, {"params", params}};
}

TEST_F(DoorTest, SpeaksMcp) {
  const json hello = AskJson(
      "POST", "/mcp", Rpc("initialize", {{"protocolVersion", "2025-03-26"}}));
  EXPECT_EQ(hello["result"]["protocolVersion"], "2025-03-26");
  EXPECT_EQ(Ask("POST", "/mcp",
                R"({"jsonrpc": "2.0", "method": "notifications/initialized"})")
                .status,
            202);
  const json tools = AskJson("POST", "/mcp", Rpc("tools/list", json::object()));
  EXPECT_EQ(tools["result"]["tools"].size(), 6u);
  EXPECT_EQ(tools["result"]["tools"][0]["inputSchema"]["required"],
            json::array({"prompt"}));
  const json painted = AskJson(
      "POST", "/mcp",
      Rpc("tools/call",
          {{"name", "generate_image"}, {"arguments", {{"prompt", "a"}}}}));
  EXPECT_EQ(painted["result"]["content"][0]["data"], kDone);
  EXPECT_EQ(painted["result"]["isError"], false);
  const json job = AskJson(
      "POST", "/mcp",
      Rpc("tools/call", {{"name", "get_job"}, {"arguments", {{"id", "a"}}}}));
  EXPECT_EQ(job["result"]["content"][0]["mimeType"], "image/png");
  const json wrong =
      AskJson("POST", "/mcp",
              Rpc("tools/call",
                  {{"name", "edit_image"}, {"arguments", {{"prompt", "a"}}}}));
  EXPECT_EQ(wrong["result"]["isError"], true);
  EXPECT_THAT(wrong["result"]["content"][0]["text"].get<std::string>(),
              HasSubstr("image"));
  EXPECT_EQ(
      AskJson("POST", "/mcp", Rpc("none", json::object()))["error"]["code"],
      -32601);
  EXPECT_EQ(Ask("POST", "/mcp", "[]").status, 400);
  EXPECT_EQ(Ask("GET", "/mcp").status, 405);
  EXPECT_EQ(Ask("POST", "/mcp", "{}", "Origin: http://evil\r\n").status, 403);
}

TEST_F(DoorTest, SteersForOpenAi) {
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
       {"hires", {{"factor", 1.5}, {"upscale", "UPSCALE_LATENT"}}},
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

TEST_F(DoorTest, TakesWhatSomeModelsDo) {
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
    EXPECT_EQ(error["param"], field) << error;
    EXPECT_THAT(error["message"].get<std::string>(), HasSubstr(field));
  }
}

TEST_F(DoorTest, NamesWhatIsWrongWithWhatSteers) {
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
  refuses({{"controls", {3}}}, "controls [0] is no object");
  refuses(with("image", nullptr), "controls [0]: image is missing");
  refuses(with("image", "?"), "image is not a picture in base64");
  refuses(with("name", nullptr), "name is missing");
  refuses(with("weight", 3), "weight 3 is not a number from 0 to 2");
  refuses(with("preprocessor", "depth"), "preprocessor");
  refuses(with("strength", 1), "strength");
  refuses({{"image_prompts", {{{"name", "ip"}}}}}, "image is missing");
  refuses({{"variation", {{"sed", 1}}}}, "variation is not as Variation");
  refuses({{"mask_blur", 3}}, "mask_blur");
}

TEST_F(DoorTest, ScoresPictures) {
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
}

TEST_F(DoorTest, SteersEnlargesAndScoresForMcp) {
  const auto call = [&](const std::string& tool, const json& arguments) {
    return AskJson("POST", "/mcp",
                   Rpc("tools/call",
                       {{"name", tool}, {"arguments", arguments}}))["result"];
  };
  const json edited = call("edit_image", {{"prompt", "a"},
                                          {"image", kDone},
                                          {"mask", kDone},
                                          {"mask_blur", 4},
                                          {"mask_fill", "noise"},
                                          {"only_masked", true},
                                          {"extend", {8, 0, 16, 0}},
                                          {"controls", {{{"name", "canny"}}}}});
  EXPECT_EQ(edited["isError"], false) << edited;
  const v1::GenerateRequest request = service_.request();
  EXPECT_EQ(request.inpainting().mask_blur(), 4u);
  EXPECT_EQ(request.inpainting().fill(), v1::Inpainting::FILL_NOISE);
  EXPECT_TRUE(request.inpainting().only_masked());
  EXPECT_EQ(request.outpainting().right(), 16u);
  EXPECT_EQ(request.controls(0).picture().data(), "done")
      << "it follows the picture";
  const json larger = call("upscale_image", {{"image", kDone}, {"factor", 2}});
  EXPECT_EQ(larger["content"][0]["data"], kDone) << larger;
  EXPECT_EQ(service_.upscale().factor(), 2);
  const json scores =
      call("score_images", {{"images", {kDone}}, {"prompt", "a"}});
  EXPECT_THAT(scores["content"][0]["text"].get<std::string>(),
              HasSubstr("0.5"));
  EXPECT_EQ(call("score_images", {{"images", "a"}})["isError"], true);
  EXPECT_EQ(call("upscale_image", {{"factor", 2}})["isError"], true);
}

TEST_F(DoorTest, StreamsProgressToMcpClientsThatAsk) {
  service_.Do([](grpc::ServerContext&, const v1::GenerateRequest& request,
                 FakeService::Writer& writer) {
    v1::GenerateRequest plan = request;
    plan.mutable_preview()->add_steps(10);
    FakeService::Paint(plan, writer);
    return grpc::Status::OK;
  });
  const RawAnswer answer =
      Ask("POST", "/mcp",
          Rpc("tools/call", {{"name", "generate_image"},
                             {"arguments", {{"prompt", "a"}}},
                             {"_meta", {{"progressToken", "t"}}}})
              .dump(),
          "Accept: application/json, text/event-stream\r\n");
  const auto events = EventsIn(answer.body);
  ASSERT_EQ(events.size(), 2u) << answer.body;
  EXPECT_EQ(events[0].data["params"]["progress"], 10);
  EXPECT_EQ(events[0].data["params"]["total"], 20);
  EXPECT_EQ(events[1].data["result"]["content"][0]["data"], kDone);
}

void CheckReferences(const json& value, const json& schemas) {
  if (!value.is_structured()) return;
  for (const auto& [key, child] : value.items()) {
    if (key == "$ref") {
      const std::string name =
          child.get<std::string>().substr(strlen("#/components/schemas/"));
      EXPECT_TRUE(schemas.contains(name)) << name;
    }
    CheckReferences(child, schemas);
  }
}

TEST_F(DoorTest, DescribesItself) {
  const json document = AskJson("GET", "/openapi.json");
  EXPECT_EQ(document["openapi"], "3.1.0");
  CheckReferences(document, document["components"]["schemas"]);
  EXPECT_TRUE(document["components"]["schemas"].contains("GenerateRequest"));
  EXPECT_EQ(Ask("GET", "/healthz").body, "ok\n");
  EXPECT_EQ(Ask("GET", "/nothing").status, 404);
}

TEST_F(DoorTest, ADoorAloneTellsItsFigures) {
  Ask("GET", "/healthz");
  const auto figures = ServeFigures("127.0.0.1:0", metrics_);
  ASSERT_THAT(figures, IsOk());
  RawClient client((*figures)->port());
  // The answer may be read before it is counted.
  const std::string counted =
      "genzo_http_requests_total{code=\"200\",route=\"/healthz\"} 1";
  RawAnswer answer;
  do {
    answer = client.Ask("GET", "/metrics");
    ASSERT_EQ(answer.status, 200);
  } while (!absl::StrContains(answer.body, counted));
  EXPECT_THAT(answer.Header("content-type"), HasSubstr("version=0.0.4"));
  EXPECT_EQ(client.Ask("GET", "/livez").body, "ok\n");
  EXPECT_EQ(client.Ask("GET", "/v1/models").status, 404);
  EXPECT_THAT(
      ServeFigures(absl::StrCat("127.0.0.1:", (*figures)->port()), metrics_),
      StatusIs(absl::StatusCode::kUnavailable, "admin address"));
}

TEST_F(DoorTest, SaysThatTheServiceIsAway) {
  HttpConfig config;
  config.listen = "127.0.0.1:0";
  // A port that nobody listens on: TCP's discard.
  const auto door = HttpDoor::Start(
      config,
      grpc::CreateChannel("127.0.0.1:9", grpc::InsecureChannelCredentials()),
      Clock::Real());
  ASSERT_THAT(door, IsOk());
  RawClient client(std::stoi((*door)->url().substr(17)));
  EXPECT_EQ(client.Ask("GET", "/v1/models").status, 503);
}

}  // namespace
}  // namespace genzo
