#include "server/otlp_exporter.h"

#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <thread>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "nlohmann/json.hpp"
#include "server/otlp_headers.h"
#include "tests/testing/matchers.h"
#include "tests/testing/test_folder.h"

namespace genzo {
namespace {

using nlohmann::json;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

constexpr char kTrace[] = "4bf92f3577b34da6a3ce929d0e0e4736";

Span Sampled(const char* name) {
  return {.name = name,
          .context = {kTrace, "00f067aa0ba902b7", /*sampled=*/true},
          .begin = absl::FromUnixNanos(1'700'000'000'000'000'001),
          .end = absl::FromUnixNanos(1'700'000'000'000'000'009)};
}

TEST(OtlpJsonTest, WritesIdsInHexAndTimesAsTexts) {
  Span job = Sampled(kJobSpan);
  job.parent = "1111111111111111";
  job.attributes = {{"text", std::string("x")},
                    {"number", int64_t{9'007'199'254'740'993}},
                    {"share", 0.5}};
  job.error = "bad \xff";
  Span step = Sampled(kStepSpan);
  step.links = {{kTrace, "00f067aa0ba902b7", true}};
  const json request = json::parse(OtlpJson({job, step}, "1.2"));
  const json& resource = request["resourceSpans"][0];
  EXPECT_EQ(resource["resource"]["attributes"][0]["value"]["stringValue"],
            "genzo");
  const json& spans = resource["scopeSpans"][0]["spans"];
  EXPECT_EQ(spans[0]["traceId"], kTrace);
  EXPECT_EQ(spans[0]["parentSpanId"], "1111111111111111");
  EXPECT_EQ(spans[0]["kind"], 2);
  EXPECT_EQ(spans[0]["startTimeUnixNano"], "1700000000000000001");
  EXPECT_EQ(spans[0]["attributes"][1]["value"]["intValue"], "9007199254740993");
  EXPECT_EQ(spans[0]["attributes"][2]["value"]["doubleValue"], 0.5);
  EXPECT_EQ(spans[0]["status"]["code"], 2);
  EXPECT_EQ(spans[1]["kind"], 1);
  EXPECT_EQ(spans[1].count("parentSpanId"), 0u);
  EXPECT_EQ(spans[1]["links"][0]["spanId"], "00f067aa0ba902b7");
}

TEST(OtlpExporterTest, SendsWhatIsSampledAndTriesTwice) {
  Metrics metrics;
  absl::StatusOr<int> answer = 200;
  int posts = 0;
  {
    OtlpExporter exporter({}, "1.2", metrics,
                          [&](const std::string&, const TransferEnd&) {
                            ++posts;
                            return answer;
                          });
    Span unsampled = Sampled(kJobSpan);
    unsampled.context.sampled = false;
    exporter.Record(unsampled);
    exporter.Record(Sampled(kJobSpan));
  }
  EXPECT_EQ(posts, 1);
  EXPECT_THAT(metrics.Text(),
              HasSubstr("genzo_spans_total{result=\"sent\"} 1"));
  answer = absl::UnavailableError("nobody");
  {
    OtlpExporter exporter({}, "1.2", metrics,
                          [&](const std::string&, const TransferEnd&) {
                            ++posts;
                            return answer;
                          });
    exporter.Record(Sampled(kJobSpan));
  }
  EXPECT_EQ(posts, 3);
  EXPECT_THAT(metrics.Text(),
              HasSubstr("genzo_spans_total{result=\"failed\"} 1"));
}

// A socket that the system accepts on, and nobody reads.
class SilentReceiver {
 public:
  SilentReceiver() : socket_(socket(AF_INET, SOCK_STREAM, 0)) {
    sockaddr_in address = {};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof(address);
    auto* const any = reinterpret_cast<sockaddr*>(&address);
    EXPECT_EQ(bind(socket_, any, size), 0);
    EXPECT_EQ(listen(socket_, /*backlog=*/8), 0);
    EXPECT_EQ(getsockname(socket_, any, &size), 0);
    port_ = ntohs(address.sin_port);
  }
  ~SilentReceiver() { close(socket_); }

  std::string url() const { return absl::StrCat("http://127.0.0.1:", port_); }
  // Whoever connects next, who waits then for an answer.
  int Accept() const { return accept(socket_, nullptr, nullptr); }

 private:
  const int socket_;
  int port_ = 0;
};

TEST(OtlpExporterTest, ACollectorThatSaysNothingIsBrokenOff) {
  const SilentReceiver collector;
  const auto post = OtlpExporter::PostTo({.endpoint = collector.url()});
  TransferEnd end;
  int connection = -1;
  std::thread ending([&] {
    connection = collector.Accept();
    end.EndBy(absl::InfinitePast());
  });
  EXPECT_THAT(post("{}", end),
              StatusIs(absl::StatusCode::kUnavailable, "broken off"));
  ending.join();
  close(connection);
  EXPECT_THAT(post("{}", end),
              StatusIs(absl::StatusCode::kUnavailable, "broken off"));
}

TEST(OtlpHeadersTest, LinesOfTheFileAreHeaders) {
  const auto headers =
      ParseHeaders("x-key: abc \r\n\nauthorization:Bearer x:y\n");
  ASSERT_THAT(headers, IsOk());
  EXPECT_THAT(*headers, ElementsAre("x-key: abc", "authorization:Bearer x:y"));
  for (const char* bad :
       {"secret", ": secret", "x y: secret", "x:", "x:\x01"}) {
    const absl::Status status =
        ParseHeaders(absl::StrCat("a: b\n", bad)).status();
    EXPECT_THAT(status, StatusIs(absl::StatusCode::kInvalidArgument, "line 2"));
    EXPECT_THAT(std::string(status.message()), Not(HasSubstr("secret")));
  }
  EXPECT_THAT(ParseHeaders("Content-Length: 5"),
              StatusIs(absl::StatusCode::kInvalidArgument, "line 1"));
}

TEST(OtlpHeadersTest, AFileOfNoUseLeavesThoseOfBefore) {
  const TestFolder folder;
  const std::string path = folder.Write("headers", "x-key: one");
  EXPECT_THAT(OtlpHeaders::Check(path), IsOk());
  OtlpHeaders headers(path);
  EXPECT_THAT(headers.Lines(), ElementsAre("x-key: one"));
  folder.Write("headers", "x-key: another");
  EXPECT_THAT(headers.Lines(), ElementsAre("x-key: another"));
  folder.Write("headers", "nonsense");
  EXPECT_THAT(headers.Lines(), ElementsAre("x-key: another"));
  EXPECT_THAT(
      OtlpHeaders::Check(path),
      StatusIs(absl::StatusCode::kInvalidArgument, "tracing.headers_file"));
  EXPECT_THAT(OtlpHeaders::Check(folder.path() + "/nowhere"),
              StatusIs(absl::StatusCode::kNotFound, "tracing.headers_file"));
  EXPECT_THAT(OtlpHeaders("").Lines(), IsEmpty());
}

// A collector that wants a key gets it.
TEST(OtlpExporterTest, SendsTheHeadersOfTheFile) {
  const SilentReceiver collector;
  const TestFolder folder;
  const auto post = OtlpExporter::PostTo(
      {.endpoint = collector.url(),
       .headers_file = folder.Write("headers", "x-key: abc")});
  TransferEnd end;
  std::string request;
  std::thread receiving([&] {
    const int connection = collector.Accept();
    char bytes[4096];
    while (!absl::StrContains(request, "\r\n\r\n")) {
      const ssize_t size = read(connection, bytes, sizeof(bytes));
      if (size <= 0) break;
      request.append(bytes, size);
    }
    end.EndBy(absl::InfinitePast());
    close(connection);
  });
  EXPECT_FALSE(post("{}", end).ok());
  receiving.join();
  EXPECT_THAT(request, HasSubstr("\r\nx-key: abc\r\n"));
  EXPECT_THAT(request, HasSubstr("\r\ncontent-type: application/json\r\n"));
}

TEST(OtlpExporterTest, AfterItsEndSpansAreCountedAsLost) {
  Metrics metrics;
  const SilentReceiver collector;
  {
    OtlpExporter exporter({}, "1.2", metrics,
                          OtlpExporter::PostTo({.endpoint = collector.url()}));
    exporter.Record(Sampled(kJobSpan));
    exporter.EndBy(absl::InfinitePast());
  }
  EXPECT_THAT(metrics.Text(),
              HasSubstr("genzo_spans_total{result=\"failed\"} 1"));
}

}  // namespace
}  // namespace genzo
