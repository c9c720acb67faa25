#include "server/otlp_exporter.h"

#include "nlohmann/json.hpp"
#include "tests/testing/matchers.h"

namespace genzo {
namespace {

using nlohmann::json;
using ::testing::HasSubstr;

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
    OtlpExporter exporter({}, "1.2", metrics, [&](const std::string&) {
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
    OtlpExporter exporter({}, "1.2", metrics, [&](const std::string&) {
      ++posts;
      return answer;
    });
    exporter.Record(Sampled(kJobSpan));
  }
  EXPECT_EQ(posts, 3);
  EXPECT_THAT(metrics.Text(),
              HasSubstr("genzo_spans_total{result=\"failed\"} 1"));
}

}  // namespace
}  // namespace genzo
