#include "base/metrics.h"

#include "tests/testing/fake_clock.h"
#include "tests/testing/matchers.h"

namespace genzo {
namespace {

using ::testing::HasSubstr;

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

TEST(MetricsTest, GivesTheSameFiguresForAModel) {
  Metrics metrics;
  EXPECT_EQ(&metrics.ForModel("a"), &metrics.ForModel("a"));
  EXPECT_NE(&metrics.ForModel("a"), &metrics.ForModel("b"));
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
