#include "tools/bench/report.h"

#include <filesystem>
#include <fstream>

#include "client/metrics_text.h"
#include "tests/testing/matchers.h"
#include "tools/bench/plot.h"
#include "tools/bench/table.h"

namespace genzo {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

Point PointAt(double x) {
  Point point = {.label = absl::StrCat("poisson ", x), .x = x};
  point.summary.calls = 4;
  point.summary.succeeded = 3;
  point.summary.pictures_per_second = 2 * x;
  point.summary.total = Spread{4, 1.5, 1, 2, 3};
  point.summary.outcomes = {{"OK", 3}, {"QUEUE_FULL", 1}};
  return point;
}

BenchReport Report() {
  BenchReport report;
  report.environment = {"2026-01-02T03:04:05Z", "A CPU", 2};
  report.command_line = "genzo-bench poisson";
  report.model.set_id("tiny");
  report.kinds = {{.name = "64x64, 4 steps", .request = {}}};
  report.solo.by_kind = {absl::Seconds(0.5)};
  report.scenarios = {{.name = "poisson",
                       .axis = "offered load",
                       .points = {PointAt(0.5), PointAt(1)}}};
  report.scenarios[0].findings["peak"] = 2.0;
  return report;
}

TEST(ReportJsonTest, NamesMachineModelAndCommand) {
  const Json json = ToJson(Report());
  EXPECT_EQ(json["hardware"]["cpu_model"], "A CPU");
  EXPECT_EQ(json["hardware"]["cores"], 2);
  EXPECT_EQ(json["date"], "2026-01-02T03:04:05Z");
  EXPECT_EQ(json["model"]["id"], "tiny");
  EXPECT_EQ(json["command_line"], "genzo-bench poisson");
  EXPECT_EQ(json["serial_capacity_per_second"], 2.0);
  EXPECT_EQ(json["mix"][0]["solo_seconds"], 0.5);
  EXPECT_TRUE(json["aborted"].is_null());
}

TEST(ReportJsonTest, HoldsEveryPoint) {
  const Json json = ToJson(Report());
  const Json& scenario = json["scenarios"][0];
  EXPECT_EQ(scenario["findings"]["peak"], 2.0);
  ASSERT_EQ(scenario["points"].size(), 2u);
  const Json& point = scenario["points"][1];
  EXPECT_EQ(point["x"], 1.0);
  EXPECT_EQ(point["total_seconds"]["p99"], 3.0);
  EXPECT_EQ(point["outcomes"]["QUEUE_FULL"], 1);
}

TEST(ReportJsonTest, SaysNullForWhatIsUnknown) {
  const Json json = ToJson(Summary());
  for (const char* key :
       {"total_seconds", "first_preview_seconds", "queued_prediction_error",
        "step_prediction_error", "steps_by_batch_rows", "jain"}) {
    EXPECT_TRUE(json[key].is_null()) << key;
  }
}

TEST(ReportTest, AddsUpWhatWasLost) {
  BenchReport report = Report();
  report.scenarios[0].points[0].summary.lost = 1;
  report.scenarios[0].points[1].summary.lost = 2;
  report.scenarios[0].points[1].summary.hung = 4;
  EXPECT_EQ(report.Lost(), 3);
  EXPECT_EQ(report.Hung(), 4);
}

TEST(TableTest, HasALineAPoint) {
  const std::string table = Table(Report());
  EXPECT_THAT(table, HasSubstr("poisson 0.5"));
  EXPECT_THAT(table, HasSubstr("OK 3, QUEUE_FULL 1"));
  EXPECT_THAT(table, HasSubstr("peak: 2.00"));
  EXPECT_THAT(table, HasSubstr("lost 0, hung 0"));
  EXPECT_THAT(table, Not(HasSubstr("ended early")));
}

TEST(TableTest, SaysWhyItEndedEarly) {
  BenchReport report = Report();
  report.aborted = "the server went away";
  EXPECT_THAT(Table(report), HasSubstr("ended early: the server went away"));
}

TEST(PlotTest, WritesABlockAScenario) {
  EXPECT_THAT(PlotData(Report()), HasSubstr("\n0.5 1 2 3 1 0\n1 1 2 3 2 0\n"));
  EXPECT_THAT(PlotScript(Report(), "it's.dat", "a.png"),
              HasSubstr("plot 'it''s.dat' index 0 using 1:2"));
}

TEST(PlotTest, LeavesOutScenariosWithoutAnAxis) {
  BenchReport report = Report();
  for (Point& point : report.scenarios[0].points) point.x.reset();
  EXPECT_THAT(WritePlot(report, "/nowhere/a.png"),
              StatusIs(absl::StatusCode::kFailedPrecondition, "no plot"));
}

TEST(PlotTest, NamesAFileThatCannotBeWritten) {
  EXPECT_THAT(
      WritePlot(Report(), "/nowhere/a.png"),
      StatusIs(absl::StatusCode::kUnavailable, "/nowhere/a.dat cannot"));
}

TEST(PlotTest, SaysWhatIsMissingWithoutGnuplot) {
  const std::string path = getenv("PATH");
  setenv("PATH", "/nowhere", /*overwrite=*/1);
  const auto folder = std::filesystem::temp_directory_path();
  const std::string png = folder / "genzo_bench_plot_test.png";
  EXPECT_THAT(WritePlot(Report(), png),
              StatusIs(absl::StatusCode::kNotFound, "gnuplot-nox"));
  setenv("PATH", path.c_str(), /*overwrite=*/1);
  EXPECT_TRUE(std::filesystem::remove(folder / "genzo_bench_plot_test.dat"));
  EXPECT_TRUE(std::filesystem::remove(folder / "genzo_bench_plot_test.gp"));
}

TEST(MetricSumTest, AddsUpTheSeries) {
  constexpr char kPage[] =
      "# TYPE genzo_jobs_running gauge\n"
      "genzo_jobs_running{model=\"a b}\"} 2\n"
      "genzo_jobs_running{model=\"c\"} 1 1700000000000\n"
      "genzo_jobs_running_total 9\n";
  const auto sum = MetricSum(kPage, "genzo_jobs_running");
  ASSERT_THAT(sum, IsOk());
  EXPECT_EQ(*sum, 3);
  EXPECT_THAT(MetricSum(kPage, "genzo_jobs"),
              StatusIs(absl::StatusCode::kNotFound, "genzo_jobs"));
}

}  // namespace
}  // namespace genzo
