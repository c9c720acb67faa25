#include "gateway/http_server.h"

#include <condition_variable>
#include <mutex>
#include <optional>
#include <vector>

#include "absl/synchronization/notification.h"
#include "absl/time/clock.h"
#include "nlohmann/json.hpp"
#include "tests/gateway/http_server_test.h"
#include "tests/gateway/raw_client.h"
#include "tests/testing/matchers.h"

namespace genzo {
namespace {

using ::testing::HasSubstr;

RawAnswer AnswerTo(const std::string& bytes, const HttpLimits& limits = {}) {
  const auto server = Serve(Echo, limits);
  RawClient client(server->port());
  client.Send(bytes);
  return client.ReadAnswer();
}

TEST(HttpServerTest, AnswersOneRequestAfterAnotherOnAConnection) {
  const auto server = Serve(Echo);
  RawClient client(server->port());
  EXPECT_EQ(client.Ask("GET", "/a").body, "GET /a ");
  EXPECT_EQ(client.Ask("POST", "/b%20c?x=1", "hello").body, "POST /b c hello");
  const RawAnswer head = client.Ask("HEAD", "/a");
  EXPECT_EQ(head.Header("content-length"), "8");
  EXPECT_EQ(client.Ask("GET", "/a").body, "GET /a ");
}

TEST(HttpServerTest, AnswersPipelinedRequestsInOrder) {
  const auto server = Serve(Echo);
  RawClient client(server->port());
  const std::string get = " HTTP/1.1\r\nHost: x\r\n\r\n";
  client.Send(absl::StrCat("GET /1", get, "GET /2", get, "GET /3", get));
  for (const char* body : {"GET /1 ", "GET /2 ", "GET /3 "}) {
    EXPECT_EQ(client.ReadAnswer().body, body);
  }
}

TEST(HttpServerTest, ReadsChunkedBodiesAndAnnouncesToContinue) {
  const auto server = Serve(Echo);
  RawClient client(server->port());
  client.Send(
      "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n"
      "Expect: 100-continue\r\n\r\n");
  EXPECT_TRUE(client.ReadUntil("100 Continue"));
  client.TakeUntil("\r\n\r\n");
  client.Send("3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n");
  EXPECT_EQ(client.ReadAnswer().body, "POST / abcde");
}

TEST(HttpServerTest, KeepsAPlainRequestIdAndMakesOneElse) {
  const auto server = Serve(Echo);
  RawClient client(server->port());
  EXPECT_EQ(client.Ask("GET", "/", "", "X-Request-Id: a-1\r\n")
                .Header("x-request-id"),
            "a-1");
  EXPECT_THAT(client.Ask("GET", "/", "", "X-Request-Id: a\"b\r\n")
                  .Header("x-request-id"),
              HasSubstr("req_"));
}

// What two readers could understand differently is refused, and the connection
// with it.
TEST(HttpServerTest, RefusesWhatCouldSmuggleARequest) {
  const std::string head = "POST / HTTP/1.1\r\nHost: x\r\n";
  for (const auto& [bytes, status] : std::vector<std::pair<std::string, int>>{
           {"Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
            400},
           {"Transfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n0\r\n\r\n",
            400},
           {"Content-Length: 3\r\nContent-Length: 4\r\n\r\nabcd", 400},
           {"Content-Length: 3\r\nContent-Length: 3\r\n\r\nabc", 400},
           {"Content-Length: 3, 3\r\n\r\nabc", 400},
           {"Content-Length: -1\r\n\r\n", 400},
           {"Content-Length: 0x3\r\n\r\nabc", 400},
           {"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n", 501},
           {"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", 501},
           {"Transfer-Encoding: identity\r\n\r\n", 501},
           {"Content-Length : 3\r\n\r\nabc", 400},
           {"Host: y\r\nContent-Length: 0\r\n\r\n", 400},
           {"Authorization: a\r\nAuthorization: b\r\n\r\n", 400},
           {"Content-Encoding: gzip\r\nContent-Length: 0\r\n\r\n", 415},
           {"Transfer-Encoding: chunked\r\n\r\nzz\r\n", 400}}) {
    const auto server = Serve(Echo);
    RawClient client(server->port());
    client.Send(head + bytes);
    EXPECT_EQ(client.ReadAnswer().status, status) << bytes;
    EXPECT_TRUE(client.IsClosed()) << bytes;
  }
  EXPECT_EQ(AnswerTo("GET / HTTP/1.1\r\n\r\n").status, 400);
  EXPECT_EQ(AnswerTo("GET / HTTP/2.0\r\nHost: x\r\n\r\n").status, 505);
  EXPECT_EQ(AnswerTo("GET /\r\n\r\n").status, 400);
  // A line that ends without CR is two readers' two lines.
  for (const char* line :
       {"GET / HTTP/1.1\n", "GET / HTTP/1.1\r", "GET / HTTP/1.1 \r\n",
        "GET / FTP/1.1\r\n", "GET / HTTP/2.0\n"}) {
    EXPECT_EQ(AnswerTo(absl::StrCat(line, "Host: x\r\n\r\n")).status, 400)
        << line;
  }
  EXPECT_EQ(AnswerTo("GET / HTTP/1.1\r\nHost: x\nX: y\r\n\r\n").status, 400);
  EXPECT_EQ(AnswerTo("CONNECT a:1 HTTP/1.1\r\nHost: x\r\n\r\n").status, 501);
  EXPECT_EQ(AnswerTo("POST / HTTP/1.0\r\nHost: x\r\nTransfer-Encoding: "
                     "chunked\r\n\r\n0\r\n\r\n")
                .status,
            501);
}

// A proxy that takes headers away does not look behind the body.
TEST(HttpServerTest, FieldsAfterAChunkedBodyAreNoHeaders) {
  const auto server = Serve([](HttpRequest request, HttpExchangeRef exchange) {
    exchange->Send({.body = absl::StrCat(request.Header("authorization"), "|",
                                         request.Header("accept"))});
  });
  RawClient client(server->port());
  client.Send(
      "POST / HTTP/1.1\r\nHost: x\r\nAccept: a\r\n"
      "Transfer-Encoding: chunked\r\n\r\n"
      "1\r\nx\r\n0\r\nAuthorization: Bearer stolen\r\n\r\n");
  EXPECT_EQ(client.ReadAnswer().body, "|a");
}

TEST(HttpServerTest, RefusesPathsThatLeadElsewhere) {
  for (const char* path : {"/../x", "/a/%2e%2e/b", "/a%2fb", "/a%00b", "/%ff",
                           "//host/x", "/a\\b", "nothing"}) {
    EXPECT_EQ(
        AnswerTo(absl::StrCat("GET ", path, " HTTP/1.1\r\nHost: x\r\n\r\n"))
            .status,
        400)
        << path;
  }
  EXPECT_EQ(AnswerTo("GET http://x/y HTTP/1.1\r\nHost: x\r\n\r\n").body,
            "GET /y ");
}

TEST(HttpServerTest, BoundsHeadersAndBodies) {
  const HttpLimits limits = {.max_header_bytes = 1000, .max_body_bytes = 10};
  const std::string long_header = absl::StrCat(
      "GET / HTTP/1.1\r\nHost: x\r\nA: ", std::string(2000, 'a'), "\r\n\r\n");
  EXPECT_EQ(AnswerTo(long_header, limits).status, 431);
  const RawAnswer large = AnswerTo(
      "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 11\r\n\r\n", limits);
  EXPECT_EQ(large.status, 413);
  EXPECT_THAT(large.body, HasSubstr("more than 10 bytes"));
  EXPECT_EQ(AnswerTo("POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: "
                     "chunked\r\n\r\nb\r\n01234567890\r\n0\r\n\r\n",
                     limits)
                .status,
            413);
}

// Before any handler sees a request its client is known by the path.
TEST(HttpServerTest, RefusesInTheWordsOfTheDoorThatWasCalled) {
  const auto refusal = [](const std::string& path) {
    const RawAnswer answer =
        AnswerTo(absl::StrCat("POST ", path,
                              " HTTP/1.1\r\nHost: x\r\n"
                              "Content-Length: 11\r\n\r\n"),
                 {.max_body_bytes = 10});
    EXPECT_EQ(answer.status, 413) << path;
    return nlohmann::json::parse(answer.body);
  };
  constexpr char kWhy[] = "the request's body has more than 10 bytes";
  EXPECT_EQ(refusal("/v1/images/edits")["error"]["type"],
            "invalid_request_error");
  EXPECT_EQ(refusal("/v1/jobs")["error"]["status"], "INVALID_ARGUMENT");
  EXPECT_EQ(refusal("/v1/jobs/1?a=b")["error"]["message"], kWhy);
  EXPECT_EQ(refusal("/sdapi/v1/txt2img")["detail"], kWhy);
  EXPECT_EQ(refusal("/mcp")["jsonrpc"], "2.0");
  EXPECT_EQ(refusal("/mcp")["error"]["message"], kWhy);
}

TEST(HttpServerTest, WhatIsNotDoneHereIsNoFaultInside) {
  const RawAnswer answer = AnswerTo(
      "POST /v1/jobs HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip\r\n\r\n");
  EXPECT_EQ(answer.status, 501);
  const nlohmann::json error = nlohmann::json::parse(answer.body)["error"];
  EXPECT_EQ(error["status"], "UNIMPLEMENTED");
  EXPECT_EQ(error["code"], 12);
}

TEST(HttpServerTest, BoundsTheBodiesThatAreBeingReadTogether) {
  const auto server = Serve(Echo, {.max_bodies_bytes = 15});
  RawClient first(server->port());
  const std::string head =
      "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 11\r\n\r\n";
  first.Send(absl::StrCat(head, "0123456789"));
  RawClient second(server->port());
  // The first's bytes may come later than the second's: one of them is told.
  second.Send(absl::StrCat(head, "0123456789"));
  first.Send("0");
  second.Send("0");
  const int statuses = first.ReadAnswer().status + second.ReadAnswer().status;
  EXPECT_TRUE(statuses == 703 || statuses == 400) << statuses;
}

TEST(HttpServerTest, GivesUpClientsThatNeverFinishAHeader) {
  const auto hasty = Serve(Echo, {.header_time = absl::Milliseconds(50)});
  RawClient silent(hasty->port());
  EXPECT_TRUE(silent.IsClosed());
  RawClient slow(hasty->port());
  slow.Send("GET / HTTP/1.1\r\nHost: ");
  EXPECT_TRUE(slow.IsClosed());
}

TEST(HttpServerTest, GivesUpClientsThatAskNothingMore) {
  const auto server = Serve(Echo, {.idle_time = absl::Milliseconds(50)});
  RawClient idle(server->port());
  EXPECT_EQ(idle.Ask("GET", "/").status, 200);
  EXPECT_TRUE(idle.IsClosed());
}

TEST(HttpServerTest, GivesUpClientsThatNeverFinishABody) {
  const auto server = Serve(Echo, {.body_time = absl::Milliseconds(50)});
  RawClient slow(server->port());
  slow.Send("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nab");
  EXPECT_TRUE(slow.IsClosed());
}

TEST(HttpServerTest, RefusalsCarryWhatTheirPagesNeed) {
  const auto server = HttpServer::Start(
      {.limits = {.max_body_bytes = 10},
       .headers_for_origin = [](const std::string& origin) -> HttpHeaders {
         if (origin != "https://app") return {};
         return {{"access-control-allow-origin", origin}};
       }},
      Echo);
  ASSERT_THAT(server, IsOk());
  const auto allowed = [&](const std::string& origin) {
    RawClient client((*server)->port());
    const RawAnswer answer = client.Ask("POST", "/", "more than 10 bytes",
                                        "Origin: " + origin + "\r\n");
    EXPECT_EQ(answer.status, 413);
    return answer.Header("access-control-allow-origin");
  };
  EXPECT_EQ(allowed("https://app"), "https://app");
  EXPECT_EQ(allowed("https://evil"), "");
}

TEST(HttpServerTest, AStreamThatIsAskedForItsHeadHasNothingElse) {
  const auto server = Serve([](HttpRequest, HttpExchangeRef exchange) {
    exchange->Begin({.content_type = "text/event-stream"});
    exchange->Write("data: 1\n\n", nullptr);
    exchange->End();
  });
  RawClient client(server->port());
  for (int i = 0; i < 2; ++i) {
    const RawAnswer head = client.Ask("HEAD", "/");
    EXPECT_EQ(head.status, 200);
    EXPECT_EQ(head.Header("content-type"), "text/event-stream");
  }
  EXPECT_EQ(client.Ask("GET", "/").body.substr(0, 4), "data");
}

TEST(HttpServerTest, StreamsAndGoesOnWithTheNextRequest) {
  const auto server = Serve([](HttpRequest, HttpExchangeRef exchange) {
    exchange->Begin({.content_type = "text/event-stream"});
    exchange->Write("data: 1\n\n", nullptr);
    exchange->Write("data: 2\n\n", [exchange](bool written) {
      EXPECT_TRUE(written);
      exchange->End();
    });
  });
  RawClient client(server->port());
  for (int i = 0; i < 2; ++i) {
    const RawAnswer answer = client.Ask("GET", "/");
    EXPECT_EQ(answer.body, "data: 1\n\ndata: 2\n\n");
  }
  RawClient old(server->port());
  old.Send("GET / HTTP/1.0\r\n\r\n");
  EXPECT_TRUE(old.ReadUntil("data: 2"));
}

TEST(HttpServerTest, WritesCommentsOnASilentStream) {
  const auto server = Serve(
      [](HttpRequest, HttpExchangeRef exchange) {
        exchange->Begin({.content_type = "text/event-stream"});
        // Held until the client is gone.
        exchange->OnGone([exchange] {});
      },
      {.keepalive_time = absl::Milliseconds(10)});
  RawClient client(server->port());
  client.Send("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
  EXPECT_FALSE(client.TakeUntil(": keepalive\n\n").empty());
  EXPECT_FALSE(client.TakeUntil(": keepalive\n\n").empty());
}

TEST(HttpServerTest, TellsThatTheClientHasGone) {
  absl::Notification gone;
  HttpExchangeRef held;
  absl::Notification asked;
  const auto server = Serve([&](HttpRequest, HttpExchangeRef exchange) {
    held = exchange;
    exchange->OnGone([&] { gone.Notify(); });
    asked.Notify();
  });
  RawClient client(server->port());
  client.Send("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
  asked.WaitForNotification();
  client.Close();
  gone.WaitForNotification();
  absl::Notification refused;
  held->Begin({});
  held->Write("x", [&](bool written) {
    EXPECT_FALSE(written);
    refused.Notify();
  });
  refused.WaitForNotification();
}

TEST(HttpServerTest, TakesWhatIsSaidAfterTheServersEnd) {
  HttpExchangeRef kept;
  auto server = Serve([&](HttpRequest, HttpExchangeRef exchange) {
    exchange->Begin({.content_type = "text/event-stream"});
    kept = std::move(exchange);
  });
  RawClient client(server->port());
  client.Send("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
  EXPECT_TRUE(client.ReadUntil("\r\n\r\n"));
  client.Close();
  server.reset();

  std::optional<bool> written;
  kept->Write("late", [&](bool taken) { written = taken; });
  EXPECT_EQ(written, false);
  kept->Write("late", nullptr);
  bool gone = false;
  kept->OnGone([&] { gone = true; });
  EXPECT_TRUE(gone);
  kept->End();
}

// Back pressure: who does not read is written to no further.
TEST(HttpServerTest, TellsTheWriterOnlyWhenTheSystemHasTakenThePiece) {
  constexpr int kPieces = 64;
  std::atomic<int> taken{0};
  std::function<void(HttpExchangeRef, int)> write =
      [&](HttpExchangeRef exchange, int left) {
        if (left == 0) return exchange->End();
        exchange->Write(std::string(1 << 20, 'x'),
                        [&, exchange, left](bool written) {
                          if (!written) return;
                          ++taken;
                          write(exchange, left - 1);
                        });
      };
  const auto server = Serve([&](HttpRequest, HttpExchangeRef exchange) {
    exchange->Begin({});
    write(exchange, kPieces);
  });
  RawClient client(server->port());
  client.Send("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
  EXPECT_TRUE(client.ReadUntil("\r\n\r\n"));
  // So many megabytes no buffers of the system hold.
  EXPECT_LT(taken, kPieces);
  EXPECT_EQ(client.ReadAnswer().body.size(), size_t{kPieces} << 20);
}

TEST(HttpServerTest, GivesUpReadersThatTakeNothing) {
  absl::Notification gone;
  const auto server = Serve(
      [&](HttpRequest, HttpExchangeRef exchange) {
        exchange->Begin({});
        exchange->Write(std::string(64 << 20, 'x'), [&](bool written) {
          EXPECT_FALSE(written);
          gone.Notify();
        });
        exchange->OnGone([exchange] {});
      },
      {.write_time = absl::Milliseconds(50)});
  RawClient client(server->port());
  client.Send("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
  gone.WaitForNotification();
}

TEST(HttpServerTest, AnswersForHandlersThatDropTheirRequest) {
  const auto server = Serve([](HttpRequest, HttpExchangeRef) {});
  RawClient client(server->port());
  EXPECT_EQ(client.Ask("GET", "/").status, 500);
  const RawAnswer job = client.Ask("GET", "/v1/jobs");
  EXPECT_EQ(job.status, 500);
  EXPECT_THAT(job.body, HasSubstr("\"INTERNAL\""));
}

TEST(HttpServerTest, LetsARequestEndBeforeItStops) {
  HttpExchangeRef held;
  absl::Notification asked;
  const auto server = Serve([&](HttpRequest, HttpExchangeRef exchange) {
    held = exchange;
    asked.Notify();
  });
  RawClient client(server->port());
  client.Send("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
  RawClient idle(server->port());
  asked.WaitForNotification();
  std::thread stopping([&] { server->Stop(absl::Minutes(1)); });
  EXPECT_TRUE(idle.IsClosed());
  held->Send({.body = "late"});
  EXPECT_EQ(client.ReadAnswer().body, "late");
  EXPECT_TRUE(client.IsClosed());
  client.Close();
  stopping.join();
}

TEST(HttpServerTest, ItsEndDoesNotWaitForRequestsThatAreBeingSent) {
  const auto server = Serve(Echo);
  RawClient body(server->port());
  // That the server asks for the body shows that it has the head.
  body.Send(
      "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n"
      "Expect: 100-continue\r\n\r\n");
  EXPECT_NE(body.TakeUntil("100 Continue\r\n\r\n"), "");
  body.Send("half of it");
  RawClient head(server->port());
  head.Send("GET / HTT");
  server->Stop(absl::InfiniteDuration());
  EXPECT_TRUE(body.IsClosed());
  EXPECT_TRUE(head.IsClosed());
}

TEST(HttpServerTest, RefusesAddressesAndCertificatesThatCannotBeUsed) {
  const auto first = Serve(Echo);
  EXPECT_THAT(HttpServer::Start(
                  {.listen = absl::StrCat("127.0.0.1:", first->port())}, Echo),
              StatusIs(absl::StatusCode::kUnavailable, "cannot be used"));
  EXPECT_THAT(
      HttpServer::Start({.tls = {.certificate = "/nowhere", .key = "/nowhere"}},
                        Echo),
      StatusIs(absl::StatusCode::kInvalidArgument, "http.certificate"));
}

}  // namespace
}  // namespace genzo
