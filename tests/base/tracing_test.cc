#include "base/tracing.h"

#include "tests/testing/matchers.h"

namespace genzo {
namespace {

constexpr char kParent[] =
    "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

class Recorder : public Tracer {
 public:
  explicit Recorder(double ratio) : Tracer(ratio) {}
  void Record(Span span) override { spans.push_back(std::move(span)); }
  std::vector<Span> spans;
};

TEST(TracingTest, ReadsWhatW3cWrites) {
  const auto context = ParseTraceparent(kParent);
  ASSERT_TRUE(context.has_value());
  EXPECT_EQ(context->trace_id, "4bf92f3577b34da6a3ce929d0e0e4736");
  EXPECT_EQ(context->span_id, "00f067aa0ba902b7");
  EXPECT_TRUE(context->sampled);
  EXPECT_EQ(FormatTraceparent(*context), kParent);
  EXPECT_FALSE(ParseTraceparent(
                   "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-02")
                   ->sampled);
  // A later version may say more.
  EXPECT_TRUE(
      ParseTraceparent(
          "01-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-more")
          .has_value());
}

TEST(TracingTest, TakesNothingElse) {
  for (const char* text :
       {"", "00", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7",
        "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
        "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
        "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
        "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-more",
        "00-4bf92f3577b34da6a3ce929d0e0e473-600f067aa0ba902b7-01",
        "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-0x"}) {
    EXPECT_FALSE(ParseTraceparent(text).has_value()) << text;
  }
}

TEST(TracingTest, FollowsTheCallerAndElseTheRatio) {
  const Recorder none(0), all(1);
  const auto caller = ParseTraceparent(kParent);
  const TraceContext child = none.Begin(caller);
  EXPECT_EQ(child.trace_id, caller->trace_id);
  EXPECT_NE(child.span_id, caller->span_id);
  EXPECT_TRUE(child.sampled);
  EXPECT_FALSE(none.Begin(std::nullopt).sampled);
  const TraceContext own = all.Begin(std::nullopt);
  EXPECT_TRUE(own.sampled);
  EXPECT_TRUE(ParseTraceparent(FormatTraceparent(own)).has_value());
  EXPECT_NE(own.trace_id, all.Begin(std::nullopt).trace_id);
}

TEST(TracingTest, PassesTheCallersOnWhereNobodyTraces) {
  EXPECT_EQ(TraceparentFor(ParseTraceparent(kParent), nullptr), kParent);
  EXPECT_EQ(TraceparentFor(std::nullopt, nullptr), "");
  EXPECT_EQ(TraceIdOf(kParent), "4bf92f3577b34da6a3ce929d0e0e4736");
  EXPECT_EQ(TraceIdOf("x"), "");
}

TEST(TracingTest, PartsAreRecordedOfSampledSpansAlone) {
  Recorder recorder(1);
  RecordPart(&recorder, kParent, {.name = kQueueSpan});
  ASSERT_EQ(recorder.spans.size(), 1u);
  EXPECT_EQ(recorder.spans[0].parent, "00f067aa0ba902b7");
  EXPECT_EQ(recorder.spans[0].context.trace_id, TraceIdOf(kParent));
  RecordPart(&recorder, "", {.name = kQueueSpan});
  RecordPart(&recorder,
             "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00",
             {.name = kQueueSpan});
  RecordPart(nullptr, kParent, {.name = kQueueSpan});
  EXPECT_EQ(recorder.spans.size(), 1u);
}

}  // namespace
}  // namespace genzo
