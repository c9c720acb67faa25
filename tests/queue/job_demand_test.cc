#include "queue/job_demand.h"

#include "queue/fair_queue.h"
#include "tests/testing/fake_clock.h"
#include "tests/testing/matchers.h"

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
TEST(InversionDemandTest, AWayUpCostsWhatItsRowsDo) {
  const FakeClock clock;
  EXPECT_EQ(StepsToWalk(Inverting(1)), 15 + 5);
  EXPECT_EQ(DemandOf(Inverting(1), clock).steps, 8 + 5);
  EXPECT_EQ(DemandOf(Inverting(3), clock).steps, 15 + 5);
}

// A guided image of 512 x 512 and 20 steps costs 10 without networks beside the
// model.
class JobDemandTest : public ::testing::Test {
 protected:
  JobDemandTest() {
    job_.set_rows_per_image(2);
    request().set_width(512);
    request().set_height(512);
    request().set_steps(20);
    request().set_image_count(1);
  }

  v1::GenerateRequest& request() { return *job_.mutable_request(); }
  v1::ControlInput& AddControl(double start, double end) {
    v1::ControlInput& control = *request().add_controls();
    control.set_weight(1);
    control.set_start(start);
    control.set_end(end);
    return control;
  }
  JobDemand Demand() const { return DemandOf(job_, clock_); }

  FakeClock clock_;
  internal::v1::Job job_;
};

TEST_F(JobDemandTest, NetworksBesideTheModelAreCharged) {
  EXPECT_DOUBLE_EQ(CostUnits(Demand()), 10);
  const double alone = QueueItem("a", Demand(), {}).cost;
  AddControl(0, 1);
  EXPECT_DOUBLE_EQ(CostUnits(Demand()), 15);
  EXPECT_DOUBLE_EQ(QueueItem("a", Demand(), {}).cost, 1.5 * alone);
  request().add_image_prompts();
  EXPECT_DOUBLE_EQ(CostUnits(Demand()), 15.5);
}

TEST_F(JobDemandTest, AControlIsChargedForWhatItSteers) {
  AddControl(0.25, 0.75);
  EXPECT_DOUBLE_EQ(Demand().load, 1.25);
  AddControl(0, 1).set_guess_mode(true);  // one row of the two
  EXPECT_DOUBLE_EQ(Demand().load, 1.5);
  AddControl(0, 1).set_weight(0);
  EXPECT_DOUBLE_EQ(Demand().load, 1.5);
}

}  // namespace
}  // namespace genzo
