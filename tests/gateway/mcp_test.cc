#include "absl/synchronization/notification.h"
#include "base/version.h"
#include "gateway/door_error.h"
#include "gateway/field_names.h"
#include "gateway/mcp_arguments.h"
#include "gateway/mcp_tools.h"
#include "tests/gateway/door_test.h"

namespace genzo {
namespace {

using nlohmann::json;
using ::testing::HasSubstr;

using McpTest = DoorTest;

json Rpc(const std::string& method, const json& params) {
  return {
      {"jsonrpc", "2.0"}, {"id", 1}, {"method", method}, {"params", params}};
}

TEST_F(McpTest, SpeaksMcp) {
  const json hello = AskJson(
      "POST", "/mcp", Rpc("initialize", {{"protocolVersion", "2025-06-18"}}));
  EXPECT_EQ(hello["result"]["protocolVersion"], "2025-06-18");
  EXPECT_EQ(hello["result"]["serverInfo"]["version"], Version());
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

TEST_F(McpTest, SteersEnlargesAndScoresForMcp) {
  const auto call = [&](const std::string& tool, const json& arguments) {
    return AskJson("POST", "/mcp",
                   Rpc("tools/call",
                       {{"name", tool}, {"arguments", arguments}}))["result"];
  };
  const json edited = call("edit_image", {{"prompt", "a"},
                                          {"image", kDone},
                                          {"mask", kDone},
                                          {"mask_blur", 4},
                                          {"resize_mode", "stretch"},
                                          {"mask_fill", "noise"},
                                          {"only_masked", true},
                                          {"extend", {8, 0, 16, 0}},
                                          {"controls", {{{"name", "canny"}}}}});
  EXPECT_EQ(edited["isError"], false) << edited;
  const v1::GenerateRequest request = service_.request();
  EXPECT_EQ(request.inpainting().mask_blur(), 4u);
  EXPECT_EQ(request.image_to_image().resize_mode(), v1::RESIZE_MODE_STRETCH);
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

TEST_F(McpTest, EveryToolRefusesWhatItDoesNotKnow) {
  const auto told = [&](const std::string& tool, const json& arguments) {
    const json result =
        AskJson("POST", "/mcp",
                Rpc("tools/call",
                    {{"name", tool}, {"arguments", arguments}}))["result"];
    EXPECT_EQ(result["isError"], true) << tool;
    return result["content"][0]["text"].get<std::string>();
  };
  for (const auto& [tool, arguments] :
       std::vector<std::pair<std::string, json>>{
           {"generate_image", {{"prompt", "a"}, {"y", 2}}},
           {"edit_image", {{"prompt", "a"}, {"image", kDone}, {"y", 2}}},
           {"upscale_image", {{"image", kDone}, {"y", 2}}},
           {"score_images", {{"images", {kDone}}, {"y", 2}}},
           {"get_job", {{"id", "x"}, {"y", 2}}},
           {"list_models", {{"y", 2}}}}) {
    EXPECT_EQ(told(tool, arguments), "\"y\" is not a field of this") << tool;
  }
  EXPECT_EQ(told("get_job", {{"id", 5}}), "id 5 is not a text");
  EXPECT_EQ(told("get_job", json::object()), "id is missing");
  EXPECT_EQ(AskJson("POST", "/mcp",
                    Rpc("tools/call", {{"name", "paint"}}))["error"]["message"],
            "tool \"paint\" is not known");
}

TEST_F(McpTest, HasSixTools) {
  std::vector<std::string> names;
  for (const json& tool : McpTools()) names.push_back(tool["name"]);
  EXPECT_THAT(names, ::testing::ElementsAre("generate_image", "edit_image",
                                            "upscale_image", "score_images",
                                            "get_job", "list_models"));
}

// They are counted before the first is read.
TEST_F(McpTest, ScoresNoMorePicturesThanTheServiceTakes) {
  const ModelNames names({});
  const auto score = [&](const json& images) {
    return ReadMcpScore({{"images", images}}, names);
  };
  EXPECT_THAT(score(json(64, kDone)), IsOk());
  EXPECT_THAT(
      score(json(65, "no picture")),
      StatusIs(kInvalid, "images has 65 entries, which are more than 64"));
  EXPECT_THAT(score({kDone, "?"}),
              StatusIs(kInvalid, "images[1] is not a picture in base64"));
  EXPECT_THAT(score(kDone), StatusIs(kInvalid, "is not a list"));
  EXPECT_THAT(ReadMcpScore(json::object(), names),
              StatusIs(kInvalid, "images is missing"));
}

// Agents send no more than a schema shows.
TEST_F(McpTest, ShowsBothWaysToNameAnAdapter) {
  const json loras = McpPaintArguments()["loras"];
  const json& ways = loras["items"]["anyOf"];
  ASSERT_EQ(ways.size(), 2u);
  EXPECT_EQ(ways[0]["type"], "string");
  const auto& use = *v1::LoraUse::descriptor();
  EXPECT_EQ(ways[1]["properties"].size(),
            static_cast<size_t>(use.field_count()));
  for (const auto& [name, schema] : ways[1]["properties"].items()) {
    EXPECT_NE(use.FindFieldByName(name), nullptr) << name;
  }
  const json object = {{"name", "ink"}, {"weight", 0.5}};
  const auto request =
      ReadMcpPaint({{"prompt", ""}, {"loras", {"fog:2", object}}},
                   /*is_edit=*/false, ModelNames({}));
  ASSERT_THAT(request, IsOk());
  EXPECT_EQ(request->loras(0).weight(), 2);
  EXPECT_EQ(request->loras(1).weight(), 0.5);
}

// Agents see no proto: what an object holds must be in the schema.
TEST_F(McpTest, NoObjectIsShownWithoutItsFields) {
  const json edit = McpEditArguments();
  for (const auto& [name, schema] : edit.items()) {
    if (schema.value("type", "") != "object") continue;
    EXPECT_FALSE(schema.value("properties", json::object()).empty()) << name;
  }
  EXPECT_EQ(edit["guidance"]["properties"]["text_gate_step"]["type"],
            "integer");
  EXPECT_TRUE(edit["inversion"]["properties"].contains("prompt"));
  const auto request =
      ReadMcpPaint({{"prompt", ""}, {"hires", {{"upscale", "lanczos"}}}},
                   /*is_edit=*/false, ModelNames({}));
  ASSERT_THAT(request, IsOk());
  EXPECT_EQ(request->hires().upscale(), v1::HiresPass::UPSCALE_LANCZOS);
}

TEST_F(McpTest, TakesTheFileThatAPictureBecomes) {
  const json file = {{"output_format", "webp"}, {"output_compression", 70}};
  json arguments = {{"prompt", ""}};
  arguments.update(file);
  const auto painted =
      ReadMcpPaint(arguments, /*is_edit=*/false, ModelNames({}));
  ASSERT_THAT(painted, IsOk());
  EXPECT_EQ(painted->output().format(), v1::IMAGE_FORMAT_WEBP);
  EXPECT_EQ(painted->output().quality(), 70u);
  arguments = {{"image", kDone}};
  arguments.update(file);
  const auto enlarged = ReadMcpUpscale(arguments);
  ASSERT_THAT(enlarged, IsOk());
  EXPECT_EQ(enlarged->output().format(), v1::IMAGE_FORMAT_WEBP);
  EXPECT_EQ(enlarged->output().quality(), 70u);
  for (const json& told : {McpPaintArguments(), McpUpscaleArguments()}) {
    EXPECT_TRUE(told.contains("output_format"));
  }
}

// An adapter or a scorer is asked for by a name that must be found somewhere.
TEST_F(McpTest, ListsAllThatToolsCallByName) {
  const json result = AskJson(
      "POST", "/mcp", Rpc("tools/call", {{"name", "list_models"}}))["result"];
  const json told =
      json::parse(result["content"][0]["text"].get<std::string>());
  EXPECT_EQ(told["models"][0]["controlnets"], json({"canny"})) << told;
  EXPECT_EQ(told["loras"][0]["name"], "ink");
  EXPECT_EQ(told["upscalers"][0]["name"], "realesrgan-x4");
  EXPECT_EQ(told["scorers"][1]["name"], "aesthetic");
  service_.RefuseLists(absl::UnavailableError("no lists"));
  EXPECT_EQ(AskJson("POST", "/mcp",
                    Rpc("tools/call",
                        {{"name", "list_models"}}))["result"]["isError"],
            true);
}

TEST_F(McpTest, TellsHowManyPicturesItPaints) {
  for (const json& tool : McpTools()) {
    const json& properties = tool["inputSchema"]["properties"];
    if (!properties.contains("n")) continue;
    EXPECT_EQ(properties["n"]["description"], "How many pictures, 1 to 10.");
  }
  const ModelNames names({});
  EXPECT_THAT(
      ReadMcpPaint({{"prompt", ""}, {"n", 10}}, /*is_edit=*/false, names),
      IsOk());
  EXPECT_THAT(
      ReadMcpPaint({{"prompt", ""}, {"n", 11}}, /*is_edit=*/false, names),
      StatusIs(kInvalid, "n 11 is not a whole number from 1 to 10"));
}

// A tool has `image` and `images`, whatever the service calls them.
TEST_F(McpTest, CallsPicturesAsTheToolsDo) {
  for (const auto& [service, own] :
       {std::pair("picture", "image"), std::pair("picture.data", "image"),
        std::pair("pictures", "images"),
        std::pair("pictures[0].data", "images[0]")}) {
    const absl::Status status =
        Renamed(InvalidFieldsError(
                    {{service, absl::StrCat(service, ": a file of 3 bytes")}}),
                McpNames());
    EXPECT_EQ(status.message(), absl::StrCat(own, ": a file of 3 bytes"));
  }
}

TEST_F(McpTest, StreamsProgressToMcpClientsThatAsk) {
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
  ASSERT_EQ(events.size(), 3u) << answer.body;
  EXPECT_EQ(events[0].data["params"]["progress"], 0);
  EXPECT_EQ(events[0].data["params"]["message"], absl::StrCat("job ", kJob))
      << "for those who are cut off";
  EXPECT_EQ(events[1].data["params"]["progress"], 10);
  EXPECT_EQ(events[1].data["params"]["total"], 20);
  EXPECT_EQ(events[2].data["result"]["content"][0]["data"], kDone);
}

// Of the arguments, with a token for progress: what is told of it.
class McpProgressTest : public DoorTest {
 protected:
  std::vector<json> ToldBy(const std::string& tool, const json& arguments) {
    std::vector<json> told;
    const RawAnswer answer =
        Ask("POST", "/mcp",
            Rpc("tools/call", {{"name", tool},
                               {"arguments", arguments},
                               {"_meta", {{"progressToken", 1}}}})
                .dump(),
            "Accept: application/json, text/event-stream\r\n");
    for (const Event& event : EventsIn(answer.body)) {
      if (!event.data.contains("params")) continue;
      told.push_back(event.data["params"]);
    }
    return told;
  }

  // Every image of a job that resolves to `resolved` walks `steps` at once.
  void Walk(const v1::GenerateRequest& resolved, uint32_t images,
            uint32_t steps) {
    service_.Do([=](grpc::ServerContext&, const v1::GenerateRequest&,
                    FakeService::Writer& writer) {
      v1::JobEvent event;
      *event.mutable_started()->mutable_resolved() = resolved;
      writer.Write(event);
      for (uint32_t i = 0; i < images; ++i) {
        event.mutable_progress()->set_image_index(i);
        event.mutable_progress()->set_step(steps);
        event.mutable_progress()->set_steps(steps);
        writer.Write(event);
      }
      return grpc::Status::OK;
    });
  }
};

TEST_F(McpProgressTest, CountsWhatIsPaintedAndNotSent) {
  v1::GenerateRequest best;
  best.set_steps(5);
  best.set_image_count(1);
  best.mutable_best_of()->set_draw(4);
  Walk(best, /*images=*/4, /*steps=*/5);
  const auto told = ToldBy("generate_image", {{"prompt", "a"}});
  ASSERT_EQ(told.size(), 5u);
  EXPECT_EQ(told.back()["message"], "step 20 of 20");
  EXPECT_EQ(told.back()["progress"], 20);
  EXPECT_EQ(told.back()["total"], 20);
}

TEST_F(McpProgressTest, CountsASecondPassAndAnInversion) {
  v1::GenerateRequest twice;
  twice.set_steps(5);
  twice.set_image_count(1);
  Walk(twice, /*images=*/1, /*steps=*/8);
  const auto told = ToldBy("generate_image", {{"prompt", "a"}});
  ASSERT_EQ(told.size(), 2u);
  EXPECT_EQ(told.back()["progress"], 8);
  EXPECT_EQ(told.back()["total"], 8);
}

TEST_F(McpProgressTest, CountsTilesOfAPictureThatIsEnlarged) {
  const auto told = ToldBy("upscale_image", {{"image", kDone}});
  ASSERT_EQ(told.size(), 2u);
  EXPECT_EQ(told.back()["message"], "tile 1 of 2");
  EXPECT_EQ(told.back()["total"], 2);
}

TEST_F(McpTest, SaysWhoWithheldAPicture) {
  const auto result = [&](int n) {
    return AskJson(
        "POST", "/mcp",
        Rpc("tools/call",
            {{"name", "generate_image"},
             {"arguments",
              {{"prompt", "a"}, {"n", n}, {"safety", "refuse"}}}}))["result"];
  };
  const json none = result(1);
  EXPECT_EQ(none["isError"], true);
  EXPECT_EQ(none["content"][0]["text"],
            "1 of 1 picture was withheld by the server's policy: safety "
            "\"refuse\"");
  EXPECT_EQ(
      json::parse(none["content"][1]["text"].get<std::string>())["withheld"],
      1);
  const json some = result(2);
  EXPECT_EQ(some["isError"], false);
  EXPECT_EQ(some["content"][0]["data"], kDone);
  EXPECT_THAT(some["content"][1]["text"].get<std::string>(),
              HasSubstr("1 of 2 pictures was withheld"));
}

TEST_F(McpTest, AnswersFaultsAsTheProtocolSays) {
  EXPECT_EQ(json::parse(Ask("POST", "/mcp", "{").body)["error"]["code"],
            -32700);
  EXPECT_EQ(json::parse(Ask("POST", "/mcp", "[]").body)["error"]["code"],
            -32600);
  const std::string ping = Rpc("ping", json::object()).dump();
  EXPECT_EQ(
      Ask("POST", "/mcp", ping, "MCP-Protocol-Version: 1999-01-01\r\n").status,
      400);
  EXPECT_EQ(
      Ask("POST", "/mcp", ping, "MCP-Protocol-Version: 2025-11-25\r\n").status,
      200);
  const json call = Rpc("tools/call", {{"name", "generate_image"},
                                       {"arguments", {{"prompt", "a"}}}});
  service_.Refuse(InvalidFieldsError({{"width", "width 100 is bad"}}));
  EXPECT_EQ(AskJson("POST", "/mcp", call)["result"]["content"][0]["text"],
            "width 100 is bad");
  service_.Refuse(absl::UnauthenticatedError("no key"));
  const RawAnswer refused = Ask("POST", "/mcp", call.dump());
  EXPECT_EQ(refused.status, 401);
  EXPECT_EQ(refused.Header("www-authenticate"), "bearer");
}

TEST_F(McpTest, SpeaksTheVersionThatItsClientAsksFor) {
  for (const auto& [asked, spoken] : {std::pair("2025-11-25", "2025-11-25"),
                                      std::pair("2025-06-18", "2025-06-18"),
                                      std::pair("2025-03-26", "2025-03-26"),
                                      std::pair("2024-11-05", "2025-11-25"),
                                      std::pair("2099-01-01", "2025-11-25")}) {
    EXPECT_EQ(
        AskJson("POST", "/mcp",
                Rpc("initialize",
                    {{"protocolVersion", asked}}))["result"]["protocolVersion"],
        spoken);
  }
  EXPECT_EQ(Ask("POST", "/mcp", Rpc("ping", json::object()).dump(),
                "MCP-Protocol-Version: 2025-03-26\r\n")
                .status,
            200);
}

TEST_F(McpTest, ANotificationCancelsTheCallerOwnCall) {
  absl::Notification began, ended;
  service_.Do([&](grpc::ServerContext&, const v1::GenerateRequest& request,
                  FakeService::Writer& writer) {
    EXPECT_EQ(request.on_disconnect(), v1::ON_DISCONNECT_CONTINUE);
    v1::JobEvent event;
    event.set_job_id(kJob);
    event.mutable_queued();
    writer.Write(event);
    began.Notify();
    ended.WaitForNotification();
    return grpc::Status::CANCELLED;
  });
  const RawAnswer hello =
      Ask("POST", "/mcp", Rpc("initialize", json::object()).dump());
  const std::string session =
      absl::StrCat("Mcp-Session-Id: ", hello.Header("mcp-session-id"), "\r\n");
  EXPECT_GT(session.size(), 30u);
  const std::string call = Rpc("tools/call", {{"name", "generate_image"},
                                              {"arguments", {{"prompt", "a"}}}})
                               .dump();
  RawClient caller(port());
  caller.Send(
      absl::StrCat("POST /mcp HTTP/1.1\r\nHost: localhost\r\nContent-Type: "
                   "application/json\r\n",
                   session, "Content-Length: ", call.size(), "\r\n\r\n", call));
  began.WaitForNotification();
  const std::string cancel =
      R"({"jsonrpc": "2.0", "method": "notifications/cancelled",)"
      R"( "params": {"requestId": 1}})";
  // Of another session, with the same number.
  EXPECT_EQ(Ask("POST", "/mcp", cancel, "Mcp-Session-Id: other\r\n").status,
            202);
  EXPECT_EQ(service_.cancelled(), "");
  EXPECT_EQ(Ask("POST", "/mcp", cancel, session).status, 202);
  EXPECT_EQ(service_.AwaitCancelled(), kJob);
  ended.Notify();
  EXPECT_EQ(caller.ReadAnswer().status, 200);
}

}  // namespace
}  // namespace genzo
