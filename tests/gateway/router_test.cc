#include "gateway/router.h"

#include "absl/strings/str_cat.h"
#include "gateway/page.h"
#include "tests/testing/matchers.h"
#include "tests/testing/test_folder.h"

namespace genzo {
namespace {

using ::testing::HasSubstr;

// Keeps the answer.
class KeptExchange : public HttpExchange {
 public:
  void Send(HttpResponse response) override { answer = std::move(response); }
  void Begin(HttpResponse) override {}
  void Write(std::string, std::function<void(bool)>) override {}
  void End() override {}
  void OnGone(std::function<void()>) override {}

  std::string Header(const std::string& name) const {
    for (const auto& [key, value] : answer.headers) {
      if (key == name) return value;
    }
    return "";
  }

  HttpResponse answer = {.status = 0};
};

HttpHandler Saying(const std::string& text) {
  return [text](HttpRequest request, HttpExchangeRef exchange) {
    exchange->Send(
        {.body = absl::StrCat(
             text, request.arguments.empty() ? "" : request.arguments[0])});
  };
}

std::vector<Route> Table() {
  return {{"GET", "/a/{}", {}, Saying("get ")},
          {"POST", "/a", {"application/json"}, Saying("post")},
          {"POST", "/v1/jobs", {}, Saying("jobs")},
          {"GET", "/events", {}, Saying("events")},
          {.method = "GET",
           .pattern = "/{*}",
           .handler = Saying("page "),
           .has = [](const std::string& path) { return path == "/icon.svg"; }}};
}

std::shared_ptr<KeptExchange> Ask(
    const std::string& method, const std::string& path,
    std::multimap<std::string, std::string> headers = {},
    const std::vector<std::string>& origins = {}, bool is_local = false,
    const std::string& public_url = "") {
  HttpRequest request;
  request.method = method;
  request.path = path;
  request.headers = std::move(headers);
  request.headers.emplace("host", "door.example:80");
  request.is_local = is_local;
  const auto exchange = std::make_shared<KeptExchange>();
  Router(Table(), origins, public_url).Handle(std::move(request), exchange);
  return exchange;
}

TEST(RouterTest, FindsRoutesAndTheirArguments) {
  EXPECT_EQ(Ask("GET", "/a/x y")->answer.body, "get x y");
  EXPECT_EQ(Ask("HEAD", "/a/x")->answer.body, "get x");
  EXPECT_EQ(Ask("GET", "/index.html")->answer.body, "page /index.html");
  EXPECT_EQ(Ask("GET", "/a/")->answer.body, "page /a/");
}

TEST(RouterTest, TellsWhatIsNotThereOrNotDone) {
  EXPECT_EQ(Ask("POST", "/nothing")->answer.status, 404);
  const auto wrong = Ask("DELETE", "/a/x");
  EXPECT_EQ(wrong->answer.status, 405);
  EXPECT_EQ(wrong->Header("allow"), "GET, HEAD");
  EXPECT_EQ(Ask("HEAD", "/events")->answer.status, 200);
  // A page does not hide that a path has other methods.
  EXPECT_EQ(Ask("GET", "/a")->answer.status, 405);
  EXPECT_THAT(Ask("DELETE", "/v1/jobs")->answer.body, HasSubstr("\"status\""));
}

TEST(RouterTest, AFileOfThePageRefusesOtherMethodsByName) {
  for (const char* method : {"PUT", "DELETE", "POST"}) {
    const auto wrong = Ask(method, "/icon.svg");
    EXPECT_EQ(wrong->answer.status, 405) << method;
    EXPECT_EQ(wrong->Header("allow"), "GET, HEAD");
    EXPECT_EQ(Ask(method, "/nothing.svg")->answer.status, 404) << method;
  }
  const auto options = Ask("OPTIONS", "/icon.svg");
  EXPECT_EQ(options->answer.status, 204);
  EXPECT_EQ(options->Header("allow"), "GET, HEAD, OPTIONS");
  EXPECT_EQ(Ask("OPTIONS", "/nothing.svg")->answer.status, 404);
}

TEST(RouterTest, TakesOnlyBodiesOfTheRightType) {
  EXPECT_EQ(Ask("POST", "/a")->answer.status, 415);
  EXPECT_EQ(Ask("POST", "/a", {{"content-type", "text/plain"}})->answer.status,
            415);
  EXPECT_EQ(
      Ask("POST", "/a", {{"content-type", "Application/JSON; charset=utf-8"}})
          ->answer.status,
      200);
}

TEST(RouterTest, AnswersOptions) {
  const auto plain = Ask("OPTIONS", "/a/x");
  EXPECT_EQ(plain->answer.status, 204);
  EXPECT_EQ(plain->Header("allow"), "GET, HEAD, OPTIONS");
  EXPECT_EQ(plain->Header("access-control-allow-methods"), "");
  const auto preflight = Ask(
      "OPTIONS", "/a",
      {{"origin", "https://app"}, {"access-control-request-method", "POST"}},
      {"https://app"});
  EXPECT_EQ(preflight->Header("access-control-allow-origin"), "https://app");
  EXPECT_EQ(preflight->Header("access-control-allow-methods"), "POST");
}

// OpenAI's SDK sends x-stainless-* with every request.
TEST(RouterTest, APageThatMayCallMaySendWhatItLikes) {
  const auto names = [](const std::string& origin, const std::string& asked) {
    return Ask("OPTIONS", "/a",
               {{"origin", origin},
                {"access-control-request-method", "POST"},
                {"access-control-request-headers", asked}},
               {"https://app"})
        ->Header("access-control-allow-headers");
  };
  EXPECT_EQ(names("https://app", "Authorization, x-stainless-os,X-Stainless-A"),
            "authorization, x-stainless-os, x-stainless-a");
  EXPECT_EQ(names("https://app", "a b, , c\r\nd, *e"), "*e");
  EXPECT_EQ(names("https://evil", "authorization"), "");
}

TEST(RouterTest, LetsOnlyPagesOfItsOwnAndOfTheListCall) {
  const auto post = [](const std::string& origin, bool is_local = false) {
    return Ask("POST", "/v1/jobs", {{"origin", origin}}, {"https://app"},
               is_local)
        ->answer.status;
  };
  EXPECT_EQ(post("https://app"), 200);
  EXPECT_EQ(post("http://door.example:80"), 200);
  EXPECT_EQ(post("https://door.example:80"), 200);
  EXPECT_EQ(post("https://evil"), 403);
  EXPECT_EQ(post("null"), 403);
  EXPECT_EQ(post("http://door.example:80", /*is_local=*/true), 403);
  EXPECT_EQ(Ask("POST", "/v1/jobs", {{"origin", "https://any"}}, {"*"})
                ->answer.status,
            200);
}

// A page that a stranger's name brought here sends no origin with its GETs.
TEST(RouterTest, OnThisMachineAloneStrangersNamesAreRefused) {
  const auto get = [](const std::string& host,
                      const std::vector<std::string>& origins = {},
                      const std::string& public_url = "") {
    return Ask("GET", "/a/x", {{"host", host}}, origins, /*is_local=*/true,
               public_url)
        ->answer;
  };
  EXPECT_EQ(get("evil.example:8080").status, 403);
  EXPECT_THAT(get("evil.example:8080").body, HasSubstr("evil.example:8080"));
  EXPECT_EQ(get("127.evil.example").status, 403);
  for (const char* own : {"localhost:8080", "127.0.0.1", "127.1.2.3:80",
                          "[::1]:80", "genzo.localhost", "LOCALHOST"}) {
    EXPECT_EQ(get(own).status, 200) << own;
  }
  EXPECT_EQ(get("door.example", {}, "https://door.example/x").status, 403);
  EXPECT_EQ(get("door.example", {}, "https://door.example").status, 200);
  EXPECT_EQ(get("app.example:99", {"https://app.example"}).status, 200);
  EXPECT_EQ(Ask("GET", "/a/x", {{"host", "any"}})->answer.status, 200)
      << "on other addresses keys say who may call";
}

TEST(PageTest, ServesWhatWasThereAndNothingElse) {
  const TestFolder folder;
  folder.Write("index.html", "<html>");
  folder.Write("app.js", "1");
  folder.Write("app.js.gz", "zipped");
  const auto page = Page::Read(folder.path());
  ASSERT_THAT(page, IsOk());
  const Router router(page->routes(), {}, "");
  const auto get = [&](const std::string& path,
                       std::multimap<std::string, std::string> headers = {}) {
    HttpRequest request;
    request.method = "GET";
    request.path = path;
    request.headers = std::move(headers);
    const auto exchange = std::make_shared<KeptExchange>();
    router.Handle(std::move(request), exchange);
    return exchange;
  };
  const auto index = get("/");
  EXPECT_EQ(index->answer.body, "<html>");
  EXPECT_EQ(index->answer.content_type, "text/html; charset=utf-8");
  EXPECT_THAT(index->Header("content-security-policy"),
              HasSubstr("default-src 'none'"));
  EXPECT_EQ(get("/", {{"if-none-match", index->Header("etag")}})->answer.status,
            304);
  EXPECT_EQ(get("/app.js")->answer.body, "1");
  const auto zipped = get("/app.js", {{"accept-encoding", "br, gzip"}});
  EXPECT_EQ(zipped->answer.body, "zipped");
  EXPECT_EQ(zipped->Header("content-encoding"), "gzip");
  EXPECT_EQ(get("/app.js.gz")->answer.status, 404);
  HttpRequest put = {.method = "PUT", .path = "/app.js"};
  const auto refused = std::make_shared<KeptExchange>();
  router.Handle(std::move(put), refused);
  EXPECT_EQ(refused->answer.status, 405);
  EXPECT_EQ(get("/etc/passwd")->answer.status, 404);
  EXPECT_EQ(MediaTypeOfFile("/x.unknown"), "application/octet-stream");
}

TEST(PageTest, NeedsAnIndex) {
  const TestFolder folder;
  EXPECT_THAT(Page::Read(folder.path()),
              StatusIs(absl::StatusCode::kNotFound, "index.html"));
  EXPECT_THAT(Page::Read(folder.path() + "/none"),
              StatusIs(absl::StatusCode::kNotFound, "index.html"));
}

}  // namespace
}  // namespace genzo
