#include "tests/gateway/door_test.h"

#include <set>
#include <thread>

#include "absl/synchronization/barrier.h"
#include "absl/synchronization/notification.h"
#include "gateway/figures_page.h"
#include "grpcpp/create_channel.h"

namespace genzo {
namespace {

using nlohmann::json;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

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
    client.Send(
        absl::StrCat("POST /v1/images/generations HTTP/1.1\r\nHost: "
                     "localhost\r\nContent-Type: "
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
    clients.back()->Send(
        absl::StrCat("POST /v1/images/generations HTTP/1.1\r\nHost: "
                     "localhost\r\nContent-Type: "
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
  EXPECT_EQ(Ask("GET", "/v1/jobs?page_size=5").status, 200);
  for (const char* size : {"x", "1.5", "9999999999"}) {
    EXPECT_EQ(AskJson("GET", absl::StrCat("/v1/jobs?page_size=",
                                          size))["error"]["message"],
              absl::StrCat("page_size \"", size,
                           "\" is not a whole number from 0 to 1000"));
  }
  EXPECT_THAT(Ask("GET", "/v1/jobs?page=1").body,
              HasSubstr("is not a parameter of this"));
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

TEST_F(DoorTest, TheHeadOfAJobsEventsComesWithoutThem) {
  RawClient client(port());
  const std::string events = "/v1/jobs/abc/events";
  const RawAnswer head = client.Ask("HEAD", events);
  EXPECT_EQ(head.status, 200);
  EXPECT_EQ(head.Header("content-type"), "text/event-stream");
  EXPECT_EQ(service_.watch().id(), "") << "nobody watches";
  EXPECT_EQ(client.Ask("HEAD", "/v1/jobs/unknown/events").status, 404);
  EXPECT_EQ(client.Ask("GET", "/healthz").body, "ok\n");
}

TEST_F(DoorTest, FaultsOfAJobAreAtItsRequest) {
  service_.RefuseJobs(
      InvalidFieldsError({{"width", "width 60 is not a multiple of 8"},
                          {"loras[0].name", "loras[0].name \"x\" is none"}}));
  const json wrong =
      AskJson("POST", "/v1/jobs", {{"request", {{"prompt", "a"}}}})["error"];
  EXPECT_EQ(wrong["field_violations"][0]["field"], "request.width");
  EXPECT_EQ(wrong["field_violations"][0]["description"],
            "request.width 60 is not a multiple of 8");
  EXPECT_EQ(wrong["field_violations"][1]["field"], "request.loras[0].name");
  service_.RefuseJobs(
      InvalidFieldsError({{"webhook.url", "webhook.url is not https"}}));
  EXPECT_EQ(
      AskJson("POST", "/v1/jobs",
              {{"request",
                {{"prompt", "a"}}}})["error"]["field_violations"][0]["field"],
      "webhook.url");
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
  for (const char* path :
       {"/v1/models/{model}", "/v1/images/files/{name}", "/sdapi/v1/txt2img",
        "/sdapi/v1/options", "/mcp", "/healthz"}) {
    EXPECT_TRUE(document["paths"].contains(path)) << path;
  }
  EXPECT_TRUE(document["paths"]["/sdapi/v1/options"].contains("get"));
  EXPECT_TRUE(document["paths"]["/sdapi/v1/options"].contains("post"));
  for (const auto& [path, operations] : document["paths"].items()) {
    EXPECT_EQ(path.find("{}"), std::string::npos) << path;
  }
  const auto parameters = [&](const std::string& path,
                              const std::string& method) {
    std::set<std::string> names;
    for (const json& one : document["paths"][path][method]["parameters"]) {
      names.insert(one["name"].get<std::string>());
    }
    return names;
  };
  for (const char* path : {"/v1/images/generations", "/v1/images/edits",
                           "/v1/images/variations"}) {
    EXPECT_THAT(parameters(path, "post"),
                ElementsAre("idempotency-key", "last-event-id"));
  }
  EXPECT_THAT(parameters("/v1/jobs", "post"), ElementsAre("idempotency-key"));
  EXPECT_THAT(parameters("/v1/jobs", "get"),
              ElementsAre("page_size", "page_token", "states"));
  EXPECT_THAT(parameters("/v1/loras", "get"),
              ElementsAre("model", "page_size", "page_token"));
  const json& schemas = document["components"]["schemas"];
  EXPECT_TRUE(schemas["Upscaler"]["properties"].contains("scale"));
  EXPECT_TRUE(schemas["ImageUpscale"]["properties"].contains("stream"));
  EXPECT_TRUE(document["paths"]["/v1/images/upscales"]["post"]["responses"]
                      ["200"]["content"]
                          .contains("text/event-stream"));
  for (const auto& [name, field] : schemas["ImageEdit"]["properties"].items()) {
    if (field.value("type", "") != "object") continue;
    EXPECT_FALSE(field.value("properties", json::object()).empty()) << name;
  }
  const json& painting =
      document["paths"]["/sdapi/v1/txt2img"]["post"]["requestBody"]["content"]
              ["application/json"]["schema"]["properties"];
  EXPECT_TRUE(painting.contains("n_iter")) << painting;
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
