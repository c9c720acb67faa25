#include "tools/sim/simulation.h"

#include "absl/strings/str_cat.h"
#include "tests/testing/matchers.h"
#include "tools/sim/report.h"
#include "worker/engine/batcher.h"

namespace genzo {
namespace {

using nlohmann::json;

SimOptions Options(int devices = 1) {
  SimOptions options;
  options.devices = devices;
  options.speed = {.costs = StepCosts({{1, absl::Milliseconds(7)},
                                       {2, absl::Milliseconds(10)},
                                       {4, absl::Milliseconds(17)},
                                       {8, absl::Milliseconds(31)},
                                       {16, absl::Milliseconds(61)}}),
                   .own_pixels = 128 * 128,
                   .largest_batch = 16,
                   .decode = absl::Milliseconds(30)};
  return options;
}

// `load` of the serial capacity: a uniform request takes 0.28 s alone.
WorkloadOptions Load(double load, int requests = 2000, int devices = 1) {
  WorkloadOptions workload;
  workload.requests = requests;
  workload.rate = load * devices / 0.28;
  workload.mixed = false;
  return workload;
}

json Play(const WorkloadOptions& workload, const SimOptions& options,
          std::unique_ptr<SimPolicy> (*make)(const SimOptions&)) {
  const auto policy = make(options);
  return Figures(
      Simulate(MakeWorkload(workload, absl::UnixEpoch()), options, *policy));
}

TEST(SimulationTest, NothingIsLost) {
  WorkloadOptions workload = Load(1.2);
  workload.mixed = true;
  workload.cancelled = 0.15;
  SimOptions options = Options(3);
  options.failures = {{.device = 1, .at = absl::Seconds(20)},
                      {.device = 0, .at = absl::Seconds(60)}};
  for (auto make : {MakeGenzoPolicy, MakeStepFifoPolicy, MakeStaticBatchPolicy,
                    MakeFifoPolicy}) {
    const json figures = Play(workload, options, make);
    int ends = 0;
    for (const auto& [name, count] : figures["ends"].items()) {
      ends += count.get<int>();
    }
    EXPECT_EQ(ends, workload.requests);
    EXPECT_FALSE(figures["ends"].contains("LOST")) << figures.dump(2);
  }
}

TEST(SimulationTest, DevicesShareABurst) {
  WorkloadOptions workload = Load(1, 40, 4);
  workload.rate = 1e6;
  const SimOptions options = Options(4);
  const auto policy = MakeGenzoPolicy(options);
  const SimResult result =
      Simulate(MakeWorkload(workload, absl::UnixEpoch()), options, *policy);
  EXPECT_LE(result.most_live, 40 / 4 * 4 / 3);
}

TEST(SimulationTest, TheSameSeedGivesTheSameResult) {
  EXPECT_EQ(Play(Load(0.9), Options(), MakeGenzoPolicy),
            Play(Load(0.9), Options(), MakeGenzoPolicy));
}

TEST(SimulationTest, SharingStepsRaisesThroughputUnderLoad) {
  WorkloadOptions workload = Load(1.8);
  workload.with_deadline = 0;
  const double genzo = Play(workload, Options(), MakeGenzoPolicy)["throughput"];
  const double fifo = Play(workload, Options(), MakeFifoPolicy)["throughput"];
  EXPECT_GT(genzo, 1.2 * fifo);
}

TEST(SimulationTest, TheFirstStepComesWithinTwoStepsAtModerateLoad) {
  WorkloadOptions workload = Load(0.7);
  workload.with_deadline = 0;
  const json figures = Play(workload, Options(), MakeGenzoPolicy);
  EXPECT_LT(figures["first_step_seconds"]["p99"].get<double>(), 2 * 0.061);
  EXPECT_LT(figures["prediction_error"]["p50"].get<double>(), 0.15);
}

TEST(SimulationTest, GoodputHoldsUnderOverload) {
  double peak = 0;
  for (double load : {0.8, 1.2, 1.6}) {
    peak = std::max<double>(
        peak, Play(Load(load), Options(), MakeGenzoPolicy)["goodput"]);
  }
  const json overload = Play(Load(2), Options(), MakeGenzoPolicy);
  EXPECT_GT(overload["goodput"].get<double>(), 0.9 * peak);
  // Where nobody looks at deadlines it collapses.
  const json fifo = Play(Load(2), Options(), MakeStepFifoPolicy);
  EXPECT_LT(fifo["goodput"].get<double>(), 0.5 * peak);
}

TEST(SimulationTest, AFloodCostsTheOthersLittle) {
  WorkloadOptions workload = Load(0.5);
  workload.with_deadline = 0;
  const double without =
      Play(workload, Options(),
           MakeGenzoPolicy)["light_tenants_total_seconds"]["p99"];
  workload.flood = 8;
  const json genzo = Play(workload, Options(), MakeGenzoPolicy);
  const json fifo = Play(workload, Options(), MakeStepFifoPolicy);
  const auto p99 = [](const json& figures) {
    return figures["light_tenants_total_seconds"]["p99"].get<double>();
  };
  EXPECT_LT(p99(genzo), 2 * without);
  EXPECT_LT(p99(genzo), 0.5 * p99(fifo));
}

TEST(SimulationTest, BaselinesHaveTheSameBoundOnTheirLine) {
  WorkloadOptions workload = Load(3);
  workload.with_deadline = 0;
  for (const auto make :
       {MakeStepFifoPolicy, MakeStaticBatchPolicy, MakeFifoPolicy}) {
    EXPECT_GT(Play(workload, Options(), make)["ends"].value("QUEUE_FULL", 0),
              0);
  }
}

TEST(SimulationTest, NoRunWaitsLongerThanTheBound) {
  WorkloadOptions workload = Load(1.5);
  workload.mixed = true;
  workload.flood = 8;
  workload.models = 3;
  const SimOptions options = Options();
  const auto policy = MakeGenzoPolicy(options);
  const SimResult result =
      Simulate(MakeWorkload(workload, absl::UnixEpoch()), options, *policy);
  EXPECT_LE(result.longest_wait,
            Batcher::kDebtorPatience * options.max_wait_steps +
                Batcher::kDebtorTurn * result.most_live);
}

TEST(SimulationTest, ModelsShareADeviceThatHoldsOne) {
  WorkloadOptions workload = Load(0.3, 500);
  workload.models = 3;
  workload.with_deadline = 0;
  SimOptions options = Options();
  options.model_bytes = 1;
  options.budget_bytes = 1;
  options.load_time = absl::Seconds(1);
  options.models = 3;
  const json figures = Play(workload, options, MakeGenzoPolicy);
  EXPECT_EQ(
      figures["ends"].value("OK", 0) + figures["ends"].value("QUEUE_FULL", 0),
      500);
  EXPECT_GT(figures["model_loads"].get<int>(), 2);
}

// As in the server: what was used last leaves before what is in use.
TEST(SimulationTest, AnIdleModelLeavesBeforeOneThatRuns) {
  SimOptions options = Options();
  options.model_bytes = 1;
  options.budget_bytes = 2;
  options.load_time = absl::Seconds(1);
  options.models = 3;
  std::vector<SimRequest> requests;
  const auto add = [&](const std::string& model, int at, int steps) {
    SimRequest& request = requests.emplace_back();
    request.id = model;
    request.demand = {.model = model,
                      .pixels = options.speed.own_pixels,
                      .steps = steps,
                      .accepted = absl::UnixEpoch() + absl::Seconds(at)};
  };
  add("long", 0, /*steps=*/5000);
  add("short", 2, /*steps=*/2);
  add("new", 10, /*steps=*/2);
  const auto policy = MakeGenzoPolicy(options);
  const SimResult result = Simulate(requests, options, *policy);
  EXPECT_EQ(result.model_loads, 3);
  EXPECT_LT(result.jobs[2]->finish, result.jobs[0]->finish);
}

// What waits for its model has half of the places at most.
TEST(SimulationTest, AFloodForAModelThatIsLoadedLeavesPlacesToTheOthers) {
  SimOptions options = Options();
  options.model_bytes = 1;
  options.budget_bytes = 2;
  options.load_time = absl::Seconds(10);
  options.models = 2;
  options.max_live_runs = 4;
  std::vector<SimRequest> requests;
  const auto add = [&](const std::string& model, int at, int steps) {
    SimRequest& request = requests.emplace_back();
    request.id = absl::StrCat(model, requests.size());
    request.demand = {.model = model,
                      .pixels = options.speed.own_pixels,
                      .steps = steps,
                      .accepted = absl::UnixEpoch() + absl::Seconds(at)};
  };
  add("here", 0, /*steps=*/1000);  // from 10 s to 17 s
  for (int i = 0; i < 6; ++i) add("coming", 12, /*steps=*/100);
  add("here", 13, /*steps=*/2);
  const auto policy = MakeGenzoPolicy(options);
  const SimResult result = Simulate(requests, options, *policy);
  EXPECT_LT(result.jobs.back()->finish, absl::UnixEpoch() + absl::Seconds(14));
}

}  // namespace
}  // namespace genzo
