// genzo-sim: the scheduler under a virtual clock, beside three baselines.

#include <fstream>
#include <iostream>
#include <map>

#include "CLI/CLI.hpp"
#include "absl/strings/str_format.h"
#include "base/standard_output.h"
#include "nlohmann/json.hpp"
#include "tools/sim/report.h"
#include "tools/sim/simulation.h"

namespace genzo {
namespace {

using nlohmann::json;

constexpr int kUsageError = 2;

using MakePolicy = std::unique_ptr<SimPolicy> (*)(const SimOptions&);

// The policies that there are.
const std::map<std::string, MakePolicy>& Policies() {
  static const auto* const policies = new std::map<std::string, MakePolicy>{
      {"fifo", MakeFifoPolicy},
      {"genzo", MakeGenzoPolicy},
      {"static-batch", MakeStaticBatchPolicy},
      {"step-fifo", MakeStepFifoPolicy}};
  return *policies;
}

// What the command line says, in its own units.
struct Arguments {
  WorkloadOptions workload;
  SimOptions sim;
  double load = 0.7;  // of the serial capacity of all devices
  std::vector<std::string> policies = {"genzo", "step-fifo", "static-batch",
                                       "fifo"};
  std::string profile;
  double window_seconds = 0.5;
  double load_seconds = 2;
  int models_in_memory = 0;
  int failures = 0;
  double downtime_seconds = 30;
  std::string json_path;
};

// The model in the box on two cores with AVX512-BF16; see docs/performance.md.
StepCosts BuiltInCosts() {
  return StepCosts({{1, absl::Milliseconds(7)},
                    {2, absl::Milliseconds(10.5)},
                    {4, absl::Milliseconds(17)},
                    {8, absl::Milliseconds(31)},
                    {16, absl::Milliseconds(61)}});
}

// A profile as genzo-server keeps it.
bool ReadProfile(const std::string& path, ModelSpeed& speed) {
  std::ifstream file(path);
  const json profile = json::parse(file, nullptr, /*allow_exceptions=*/false);
  if (!profile.is_object() || !profile.contains("step_seconds")) return false;
  std::map<int, absl::Duration> measured;
  for (const auto& [rows, seconds] : profile["step_seconds"].items()) {
    measured[std::max(1, std::atoi(rows.c_str()))] =
        absl::Seconds(seconds.get<double>());
  }
  speed.costs = StepCosts(std::move(measured));
  speed.decode = absl::Seconds(profile.value("decode_seconds", 0.0));
  return speed.costs.known();
}

// Mean time alone of the requests that will come.
absl::Duration MeanSolo(const Arguments& arguments) {
  ModelSpeeds speeds;
  speeds.SetSpeed(/*device=*/0, "", arguments.sim.speed);
  WorkloadOptions sample = arguments.workload;
  sample.requests = 2000;
  absl::Duration sum;
  for (SimRequest& request : MakeWorkload(sample, absl::UnixEpoch())) {
    request.demand.model = "";
    sum += speeds.SoloTime(request.demand);
  }
  return sum / sample.requests;
}

// Devices fail one after another, evenly over the expected time.
void AddFailures(const Arguments& arguments, SimOptions& sim) {
  const absl::Duration expected =
      absl::Seconds(arguments.workload.requests / arguments.workload.rate);
  for (int i = 0; i < arguments.failures; ++i) {
    sim.failures.push_back(
        {.device = i % sim.devices,
         .at = expected * (i + 1) / (arguments.failures + 1),
         .downtime = absl::Seconds(arguments.downtime_seconds)});
  }
}

int Run(Arguments arguments) {
  SimOptions& sim = arguments.sim;
  sim.speed.own_pixels = arguments.workload.own_pixels;
  sim.speed.costs = BuiltInCosts();
  sim.speed.decode = absl::Milliseconds(30);
  if (!arguments.profile.empty() &&
      !ReadProfile(arguments.profile, sim.speed)) {
    std::cerr << "genzo-sim: " << arguments.profile
              << " is not a profile of genzo-server\n";
    return kUsageError;
  }
  sim.window = absl::Seconds(arguments.window_seconds);
  sim.load_time = absl::Seconds(arguments.load_seconds);
  if (arguments.models_in_memory > 0) {
    sim.model_bytes = 1;
    sim.budget_bytes = arguments.models_in_memory;
  }
  arguments.workload.rate =
      arguments.load * sim.devices / absl::ToDoubleSeconds(MeanSolo(arguments));
  sim.models = arguments.workload.models;
  AddFailures(arguments, sim);
  const std::vector<SimRequest> requests =
      MakeWorkload(arguments.workload, absl::UnixEpoch());
  json all = json::object();
  std::cout << absl::StrFormat(
                   "%d requests, %d devices, %.3g requests a second, load %.2f",
                   arguments.workload.requests, sim.devices,
                   arguments.workload.rate, arguments.load)
            << "\n"
            << TableHeader() << std::endl;
  for (const std::string& name : arguments.policies) {
    const auto policy = Policies().at(name)(sim);
    all[name] = Figures(Simulate(requests, sim, *policy));
    std::cout << TableLine(name, all[name]) << std::endl;
  }
  if (arguments.json_path.empty()) return 0;
  std::ofstream file(arguments.json_path);
  file << all.dump(2) << "\n";
  if (file) return 0;
  std::cerr << "genzo-sim: " << arguments.json_path << " cannot be written\n";
  return 1;
}

// What is asked of the scheduler.
void AddWorkload(CLI::App& app, Arguments& arguments) {
  WorkloadOptions& workload = arguments.workload;
  app.add_option("--requests", workload.requests)
      ->check(CLI::Range(1, 10'000'000))
      ->capture_default_str();
  app.add_option("--load", arguments.load,
                 "offered work, in what all devices do one request at a time")
      ->check(CLI::Range(0.001, 100.0))
      ->capture_default_str();
  app.add_flag_callback(
      "--uniform", [&workload] { workload.mixed = false; },
      "all requests alike, not of mixed sizes, steps and guidance");
  app.add_option("--tenants", workload.tenants)
      ->check(CLI::Range(1, 1000))
      ->capture_default_str();
  app.add_option("--flood", workload.flood,
                 "one more tenant, sending so many times what another does")
      ->check(CLI::Range(0.0, 1000.0))
      ->capture_default_str();
  app.add_option("--burst", workload.burst,
                 "arrivals so many times as fast, and then none")
      ->check(CLI::Range(1.0, 1000.0))
      ->capture_default_str();
  app.add_option("--deadline-factor", workload.deadline_factor,
                 "a request is in time within so many times its time alone")
      ->check(CLI::Range(1.0, 1e6))
      ->capture_default_str();
  app.add_option("--with-deadline", workload.with_deadline,
                 "share of requests that say so to the scheduler")
      ->check(CLI::Range(0.0, 1.0))
      ->capture_default_str();
  app.add_option("--cancelled", workload.cancelled, "share of requests")
      ->check(CLI::Range(0.0, 1.0))
      ->capture_default_str();
  app.add_option("--seed", workload.seed, "the same seed, the same requests")
      ->capture_default_str();
}

// What it has for that.
void AddMachine(CLI::App& app, Arguments& arguments) {
  SimOptions& sim = arguments.sim;
  app.add_option("--devices", sim.devices)
      ->check(CLI::Range(1, 1000))
      ->capture_default_str();
  app.add_option("--profile", arguments.profile,
                 "speed of the model: a file that genzo-server keeps in its "
                 "profile_folder; default: the model in the box");
  app.add_option("--models", arguments.workload.models,
                 "models that are asked for")
      ->check(CLI::Range(1, 1000))
      ->capture_default_str();
  app.add_option("--models-in-memory", arguments.models_in_memory,
                 "models that a device has room for; 0: all")
      ->check(CLI::Range(0, 1000))
      ->capture_default_str();
  app.add_option("--load-seconds", arguments.load_seconds,
                 "time that loading a model takes")
      ->check(CLI::Range(0.0, 1e6))
      ->capture_default_str();
  app.add_option("--failures", arguments.failures,
                 "devices that go down, evenly over time")
      ->check(CLI::Range(0, 100'000))
      ->capture_default_str();
  app.add_option("--downtime", arguments.downtime_seconds, "seconds")
      ->check(CLI::Range(0.0, 1e6))
      ->capture_default_str();
  app.add_option("--queue-capacity", sim.queue_capacity)
      ->check(CLI::Range(1, 10'000'000))
      ->capture_default_str();
  app.add_option("--max-live-runs", sim.max_live_runs)
      ->check(CLI::Range(1, 4096))
      ->capture_default_str();
  app.add_option("--window", arguments.window_seconds,
                 "seconds that static-batch waits for more")
      ->check(CLI::Range(0.0, 1e6))
      ->capture_default_str();
}

// Whom to compare, and where to.
void AddOutput(CLI::App& app, Arguments& arguments) {
  app.add_option("--policies", arguments.policies,
                 "of genzo, step-fifo, static-batch, fifo")
      ->delimiter(',')
      ->check(CLI::IsMember(Policies()))
      ->capture_default_str();
  app.add_option("--json", arguments.json_path, "file for all figures");
}

int Main(int argc, char** argv) {
  CLI::App app(
      "Runs Genzo's scheduler (batches, admission, residency) under a virtual "
      "clock, beside baselines: the same requests for each.",
      "genzo-sim");
  Arguments arguments;
  AddWorkload(app, arguments);
  AddMachine(app, arguments);
  AddOutput(app, arguments);
  app.footer("Exit status: 0, 1 if a file cannot be written, 2 for misuse.");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : kUsageError;
  }
  return Run(arguments);
}

}  // namespace
}  // namespace genzo

int main(int argc, char** argv) {
  return genzo::EndOutput("genzo-sim", genzo::Main(argc, argv));
}
