#include "queue/job_demand.h"

#include "gtest/gtest.h"
#include "tests/testing/fake_clock.h"

namespace genzo {
namespace {

internal::v1::Job Inverting(double guidance) {
  internal::v1::Job job;
  job.set_rows_per_image(2);
  v1::GenerateRequest& request = *job.mutable_request();
  request.set_steps(10);
  request.set_image_count(1);
  request.set_width(64);
  request.set_height(64);
  v1::ImageToImage& start = *request.mutable_image_to_image();
  start.set_strength(0.5);
  start.mutable_inversion()->set_steps(30);
  start.mutable_inversion()->set_guidance_scale(guidance);
  return job;
}

// Up without guidance, an image has one row of its two.
TEST(JobDemandTest, AWayUpCostsWhatItsRowsDo) {
  const FakeClock clock;
  EXPECT_EQ(StepsToWalk(Inverting(1).request()), 15 + 5);
  EXPECT_EQ(DemandOf(Inverting(1), clock).steps, 8 + 5);
  EXPECT_EQ(DemandOf(Inverting(3), clock).steps, 15 + 5);
}

}  // namespace
}  // namespace genzo
