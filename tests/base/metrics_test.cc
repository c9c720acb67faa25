#include "base/metrics.h"

#include <set>
#include <string>

#include "absl/strings/str_cat.h"
#include "base/errors.h"
#include "base/process_metrics.h"
#include "prometheus/metric_family.h"
#include "tests/testing/fake_clock.h"
#include "tests/testing/matchers.h"

namespace genzo {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

TEST(MetricsTest, ExportsWhatWasCounted) {
  Metrics metrics;
  metrics.ForModel("tiny").jobs_succeeded.Increment();
  metrics.ForModel("tiny").batch_size.Observe(3);
  metrics.CountRequest("Generate", "OK");
  metrics.CountShed("QUEUE_FULL");
  const std::string text = metrics.Text();
  EXPECT_THAT(
      text,
      HasSubstr("genzo_jobs_total{model=\"tiny\",outcome=\"succeeded\"} 1"));
  EXPECT_THAT(text, HasSubstr("genzo_batch_size_bucket{model=\"tiny\",le=\"3\"}"
                              " 1"));
  EXPECT_THAT(text, HasSubstr("genzo_requests_total{code=\"OK\","
                              "method=\"Generate\"} 1"));
  EXPECT_THAT(text, HasSubstr("genzo_shed_total{reason=\"QUEUE_FULL\"} 1"));
}

TEST(MetricsTest, TellsOfFilesAndCertificates) {
  Metrics metrics;
  metrics.SetFileInForce("keys", false);
  metrics.SetFileInForce("certificate", true);
  metrics.SetCertificateExpiry("certificate", absl::FromUnixSeconds(2000));
  const std::string text = metrics.Text();
  EXPECT_THAT(text, HasSubstr("genzo_file_in_force{file=\"keys\"} 0"));
  EXPECT_THAT(text, HasSubstr("genzo_file_in_force{file=\"certificate\"} 1"));
  EXPECT_THAT(text, HasSubstr("genzo_certificate_expiry_timestamp_seconds{file="
                              "\"certificate\"} 2000"));
  metrics.SetFileInForce("keys", true);
  EXPECT_THAT(metrics.Text(),
              HasSubstr("genzo_file_in_force{file=\"keys\"} 1"));
}

TEST(MetricsTest, GivesTheSameFiguresForAModel) {
  Metrics metrics;
  EXPECT_EQ(&metrics.ForModel("a"), &metrics.ForModel("a"));
  EXPECT_NE(&metrics.ForModel("a"), &metrics.ForModel("b"));
}

TEST(MetricsTest, AModelIsOfOneFamilyAndType) {
  Metrics metrics;
  metrics.SetModelInfo("a", {"sd1", "float32", "0a"});
  metrics.SetModelInfo("b", {"sd1", "float32", "0a"});
  metrics.SetModelInfo("a", {"sdxl", "bfloat16", "0b"});
  metrics.SetModelInfo("a", {"sdxl", "bfloat16", "0b"});
  const std::string text = metrics.Text();
  EXPECT_THAT(text, HasSubstr("genzo_model_info{dtype=\"bfloat16\",family="
                              "\"sdxl\",fingerprint=\"0b\",model=\"a\"} 1"));
  EXPECT_THAT(text, HasSubstr("fingerprint=\"0a\",model=\"b\"} 1"));
  EXPECT_THAT(text, Not(HasSubstr("fingerprint=\"0a\",model=\"a\"")));
}

TEST(MetricsTest, CountsEndsAndWhatTheySpared) {
  Metrics metrics;
  ModelMetrics& figures = metrics.ForModel("tiny");
  figures.CountEnd(absl::OkStatus(), 0);
  figures.CountEnd(absl::OkStatus(), 0, /*filtered=*/true);
  // Whatever became of its pictures before, the job came to no good end.
  figures.CountEnd(absl::CancelledError(""), 7, /*filtered=*/true);
  figures.CountEnd(absl::DeadlineExceededError(""), 2);
  figures.CountEnd(absl::InternalError(""), 100);
  figures.CountEnd(RetryLaterError("DRAINING", "", absl::ZeroDuration()), 100);
  const std::string text = metrics.Text();
  for (const char* outcome :
       {"succeeded", "filtered", "cancelled", "expired", "failed", "drained"}) {
    EXPECT_THAT(text, HasSubstr(absl::StrCat("genzo_jobs_total{model=\"tiny\","
                                             "outcome=\"",
                                             outcome, "\"} 1")));
  }
  EXPECT_THAT(text, HasSubstr("genzo_steps_saved_total{model=\"tiny\"} 9"));
}

TEST(MetricsTest, LeavesOutModelsThatAreGoneAndHaveNoJobs) {
  std::set<std::string> there = {"a", "b"};
  Metrics metrics;
  metrics.TellModelsThat(
      [&](const std::string& model) { return there.count(model) > 0; });
  for (const char* model : {"a", "b"}) {
    ModelMetrics& figures = metrics.ForModel(model);
    figures.CountEnd(absl::OkStatus(), 0);
    figures.StepSeconds(512 * 512, 1).Observe(1);
    figures.ProfileSeconds(1).Set(1);
    metrics.SetModelInfo(model, {"sd1", "float32", "0a"});
  }
  ModelMetrics& b = metrics.ForModel("b");
  there = {"a"};
  b.jobs_running.Increment();
  EXPECT_THAT(metrics.Text(), HasSubstr("model=\"b\""))
      << "it ends as it would";
  b.jobs_running.Decrement();
  b.queue_depth[1]->Increment();
  EXPECT_THAT(metrics.Text(), HasSubstr("model=\"b\""));
  b.queue_depth[1]->Decrement();
  const std::string text = metrics.Text();
  EXPECT_THAT(text, Not(HasSubstr("model=\"b\"")));
  EXPECT_THAT(text, HasSubstr("genzo_model_info{"));
  EXPECT_THAT(text, HasSubstr("genzo_streams 0")) << "what has no model stays";
  there = {};
  EXPECT_THAT(metrics.Text(), Not(HasSubstr("genzo_model_info")));
  there = {"b"};
  EXPECT_THAT(
      metrics.Text(),
      HasSubstr("genzo_jobs_total{model=\"b\",outcome=\"succeeded\"} 1"))
      << "it goes on from where it was";
}

TEST(MetricsTest, PutsEvaluationsInClasses) {
  Metrics metrics;
  const ModelMetrics& figures = metrics.ForModel("tiny");
  EXPECT_EQ(&figures.StepSeconds(512 * 512, 3),
            &figures.StepSeconds(400 * 600, 4));
  EXPECT_NE(&figures.StepSeconds(512 * 512, 4),
            &figures.StepSeconds(512 * 513, 4));
  figures.StepSeconds(4096 * 4096 + 1, 1000).Observe(1);
  EXPECT_THAT(metrics.Text(),
              HasSubstr("genzo_step_duration_seconds_count{model=\"tiny\",rows="
                        "\"32\",size=\"4096\"} 1"));
}

// Figures of one family in two places, made when they are asked for.
class Source : public prometheus::Collectable {
 public:
  std::vector<prometheus::MetricFamily> Collect() const override {
    prometheus::MetricFamily family{
        "genzo_device_memory_bytes", "", prometheus::MetricType::Gauge, {}};
    family.metric.emplace_back();
    family.metric[0].label = {{"device", "cuda:0"}, {"kind", "allocated"}};
    return {family};
  }
};

TEST(MetricsTest, TellsAFamilyOnceAndForgetsWhatIsGone) {
  Metrics metrics;
  metrics.ForDevice("cuda:0").budget_bytes.Set(5);
  auto source = std::make_shared<Source>();
  metrics.Add(source);
  const std::string text = metrics.Text();
  const std::string type = "# TYPE genzo_device_memory_bytes";
  EXPECT_EQ(text.find(type), text.rfind(type));
  EXPECT_THAT(text, HasSubstr("kind=\"allocated\""));
  EXPECT_THAT(text, HasSubstr("kind=\"budget\""));
  source.reset();
  EXPECT_THAT(metrics.Text(), ::testing::Not(HasSubstr("allocated")));
}

TEST(MetricsTest, TheProcessTellsWhatItUses) {
  for (const prometheus::MetricFamily& family : ProcessMetrics().Collect()) {
    const prometheus::ClientMetric& metric = family.metric.at(0);
    EXPECT_GT(metric.counter.value + metric.gauge.value, 0) << family.name;
  }
}

TEST(MetricsTest, TheOldestJobAgesWhileNothingMoves) {
  FakeClock clock;
  Metrics metrics(clock);
  EXPECT_THAT(metrics.Text(), HasSubstr("genzo_queue_oldest_age_seconds 0"));
  metrics.SetOldestJob(clock.Now());
  clock.Advance(absl::Seconds(7));
  EXPECT_THAT(metrics.Text(), HasSubstr("genzo_queue_oldest_age_seconds 7"));
}

}  // namespace
}  // namespace genzo
