#include "client/server_figures.h"
#include "client/top_command.h"
#include "tests/testing/matchers.h"

namespace genzo {
namespace {

using ::testing::HasSubstr;

constexpr char kBefore[] = R"(# TYPE genzo_images_total counter
genzo_ready 1
genzo_device_up{device="cpu:0"} 1
genzo_device_busy_seconds_total{device="cpu:0"} 4
genzo_model_loaded{model="a b}"} 1
genzo_images_total{model="a b}"} 10
genzo_batch_size_sum{model="a b}"} 100
genzo_batch_size_count{model="a b}"} 50
genzo_row_places_total{model="a b}"} 400
genzo_queue_depth{model="a b}",priority="high"} 2
genzo_queue_depth{model="a b}",priority="low"} 1
not a figure
)";
constexpr char kNow[] = R"(genzo_ready 1
genzo_device_up{device="cpu:0"} 1
genzo_device_busy_seconds_total{device="cpu:0"} 5
genzo_device_adapters{device="cpu:0"} 3
genzo_model_loaded{model="a b}"} 1
genzo_images_total{model="a b}"} 14
genzo_batch_size_sum{model="a b}"} 120
genzo_batch_size_count{model="a b}"} 55
genzo_row_places_total{model="a b}"} 440
genzo_queue_depth{model="a b}",priority="high"} 4
genzo_queue_depth{model="a b}",priority="low"} 1
genzo_build_info{version="1.2",libtorch="2.11.0",grpc="1"} 1
)";

TEST(ServerFiguresTest, TellsWhatHappenedBetweenTwoLooks) {
  const auto before = MetricsSample::Parse(kBefore);
  const auto now = MetricsSample::Parse(kNow);
  EXPECT_EQ(now.Sum("genzo_queue_depth"), 5);
  const auto figures = FiguresOf(before, now, absl::Seconds(2));
  EXPECT_EQ(figures["jobs"]["waiting"], 5);
  EXPECT_EQ(figures["jobs"]["waiting_by_priority"]["high"], 4);
  EXPECT_EQ(figures["devices"][0]["busy"], 0.5);
  EXPECT_EQ(figures["devices"][0]["adapters"], 3);
  const auto& model = figures["models"][0];
  EXPECT_EQ(model["model"], "a b}");
  EXPECT_EQ(model["images_per_second"], 2);
  EXPECT_EQ(model["rows"], 4);
  EXPECT_EQ(model["occupancy"], 0.5);
  EXPECT_TRUE(model["evaluation_seconds"].is_null());
}

TEST(ServerFiguresTest, AServerThatStartedAnewDoesNotCountBackwards) {
  const auto figures =
      FiguresOf(MetricsSample::Parse(kNow), MetricsSample::Parse(kBefore),
                absl::Seconds(1));
  EXPECT_EQ(figures["models"][0]["images_per_second"], 0);
}

TEST(ServerFiguresTest, LinesFitTheTerminal) {
  const auto figures = FiguresOf(MetricsSample::Parse(kBefore),
                                 MetricsSample::Parse(kNow), absl::Seconds(2));
  const auto wide = FigureLines(figures, 200);
  EXPECT_THAT(wide[0], HasSubstr("1.2  ready"));
  EXPECT_THAT(wide.back(), HasSubstr("a b}"));
  EXPECT_THAT(wide.back(), HasSubstr("50 %"));
  for (const std::string& line : FigureLines(figures, 30)) {
    EXPECT_LE(line.size(), 30u);
  }
  // Of a page with nothing in it.
  const MetricsSample nothing;
  EXPECT_THAT(
      FigureLines(FiguresOf(nothing, nothing, absl::ZeroDuration()), 80)[0],
      HasSubstr("NOT READY"));
}

}  // namespace
}  // namespace genzo
