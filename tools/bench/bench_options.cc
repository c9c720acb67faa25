#include "tools/bench/bench_options.h"

#include <functional>
#include <map>

#include "client/number_range.h"

namespace genzo {
namespace {

constexpr double kMostSeconds = 1e6;
constexpr int kMostClients = 4096;

void AddSeconds(CLI::App& app, const std::string& name, absl::Duration& value,
                const std::string& help) {
  app.add_option_function<double>(
         name, [&value](double seconds) { value = absl::Seconds(seconds); },
         help)
      ->check(NumberRange(0.001, kMostSeconds))
      ->type_name("SECONDS")
      ->default_str(std::to_string(absl::ToInt64Seconds(value)));
}

void AddServerOptions(CLI::App& app, BenchCommand& command) {
  app.add_option("--server", command.options.server, "host:port of the server")
      ->capture_default_str()
      ->envname("GENZO_SERVER")
      ->group("Server");
  app.add_option("--admin", command.admin,
                 "host:port of its /metrics, for cancel and closed")
      ->group("Server");
}

void AddMixOptions(CLI::App& app, BenchOptions& options) {
  const std::map<std::string, MixProfile> profiles = {
      {"uniform", MixProfile::kUniform}, {"mixed", MixProfile::kMixed}};
  const auto grouped = [](CLI::Option* option) { option->group("Requests"); };
  MixOptions& mix = options.mix;
  grouped(app.add_option("-m,--model", options.model,
                         "model id; default: the server's"));
  grouped(
      app.add_option("--mix", mix.profile,
                     "uniform: one kind of request; mixed: 12 kinds of two "
                     "sizes, 4 to 30 steps, guidance 1 to 7.5, all samplers")
          ->transform(CLI::CheckedTransformer(profiles, CLI::ignore_case))
          ->default_str("uniform"));
  grouped(app.add_option("--steps", mix.steps,
                         "steps; with --mix mixed the most steps"));
  grouped(app.add_option("--width", mix.width, "width in pixels"));
  grouped(app.add_option("--height", mix.height, "height in pixels"));
  grouped(app.add_option("--preview-every", mix.preview_every,
                         "a preview after every so many steps; 0: none"));
  grouped(app.add_option("--seed", mix.seed,
                         "the same seed gives the same requests and arrivals")
              ->capture_default_str());
}

void AddLoadOptions(CLI::App& app, BenchOptions& options) {
  AddSeconds(app, "--duration", options.horizon.duration, "of each load");
  app.add_option("--requests", options.horizon.requests,
                 "requests of each load, in place of --duration")
      ->check(CLI::Range(1, 1'000'000));
  AddSeconds(app, "--grace", options.grace,
             "silence after which calls are given up as hung");
  app.add_option("--solo-repeats", options.solo_repeats,
                 "requests alone of each kind, measured first")
      ->check(CLI::Range(1, 1000))
      ->capture_default_str();
  app.add_option("--deadline-factor", options.deadline_factor,
                 "a picture is in time within so many times its time alone")
      ->check(NumberRange(1, 1e6))
      ->capture_default_str();
}

void AddScenarioOptions(CLI::App& app, BenchOptions& options) {
  const auto load = NumberRange(0.001, 100);
  const auto grouped = [](CLI::Option* option) {
    option->capture_default_str()->group("Scenarios");
  };
  grouped(app.add_option("--clients", options.clients, "of closed")
              ->delimiter(',')
              ->check(CLI::Range(1, kMostClients)));
  grouped(app.add_option("--loads", options.loads,
                         "of poisson, in serial capacities")
              ->delimiter(',')
              ->check(load));
  grouped(app.add_option("--overload-loads", options.overload_loads,
                         "of overload, in serial capacities")
              ->delimiter(',')
              ->check(load));
  grouped(app.add_option("--burst-load", options.burst_load,
                         "mean of burst, in serial capacities")
              ->check(load));
  grouped(
      app.add_option("--concurrency", options.concurrency,
                     "clients of cancel and previews, pictures of identical")
          ->check(CLI::Range(1, kMostClients)));
  grouped(app.add_option("--tenants", options.tenants, "light ones of flood")
              ->check(CLI::Range(1, kMostClients)));
  grouped(app.add_option("--tenant-load", options.tenant_load,
                         "of a light tenant, in serial capacities")
              ->check(load));
}

}  // namespace

void AddOptions(CLI::App& app, BenchCommand& command) {
  AddServerOptions(app, command);
  AddMixOptions(app, command.options);
  AddLoadOptions(app, command.options);
  AddScenarioOptions(app, command.options);
  app.add_option("--json", command.json_path, "file for everything measured")
      ->group("Output");
  app.add_option("--plot", command.plot_path,
                 "PNG file for latency and throughput; needs gnuplot")
      ->group("Output");
}

}  // namespace genzo
