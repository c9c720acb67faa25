// genzo-server: the front end with an in-process worker.

#include <cstdlib>
#include <iostream>
#include <set>

#include "CLI/CLI.hpp"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/clock.h"
#include "base/logging.h"
#include "base/standard_output.h"
#include "base/version.h"
#include "gateway/door.h"
#include "server/config_files.h"
#include "server/front_end.h"
#include "server/otlp_headers.h"
#include "server/process_end.h"
#include "server/reload_thread.h"
#include "server/running_server.h"
#include "server/server_options.h"
#include "server/signal_waiter.h"
#include "worker/device/address_space.h"
#include "worker/engine/worker_pool.h"

namespace genzo {
namespace {

constexpr int kUsageError = 2;  // bad configuration, address in use
// For streams to deliver their last events once all jobs have ended.
constexpr absl::Duration kLastWrites = absl::Seconds(5);
// For cancelled jobs to end, and again for everything behind that. What takes
// longer hangs and would for ever.
constexpr absl::Duration kLastResort = absl::Seconds(10);
// Two signals within so long are one.
constexpr absl::Duration kSameWish = absl::Milliseconds(100);

int Fail(const absl::Status& status) {
  std::cerr << "genzo-server: " << status.message() << std::endl;
  return kUsageError;
}

// Until somebody wants the server to end, or its pool has.
SignalWaiter::Event WaitForEnd(const SignalWaiter& waiter,
                               ReloadThread& reload) {
  while (true) {
    const SignalWaiter::Event event = waiter.Wait(absl::InfiniteFuture());
    if (event != SignalWaiter::Event::kReload) return event;
    reload.Ask();
  }
}

// Waits for the pool's end. A signal to end ends the process at once.
bool WaitForPool(const SignalWaiter& waiter, absl::Duration time,
                 const Config& config) {
  const absl::Time begin = Clock::Real().Now();
  const absl::Time until = begin + time;
  while (true) {
    switch (waiter.Wait(until)) {
      case SignalWaiter::Event::kDone:
        return true;
      case SignalWaiter::Event::kTime:
        return false;
      case SignalWaiter::Event::kEnd:
        // The same wish once more: `timeout` tells the process and its group.
        if (Clock::Real().Now() - begin < kSameWish) break;
        EndAtOnce(config.jobs.results_folder);
      case SignalWaiter::Event::kReload:
        spdlog::warn("the configuration is not read again: shutting down");
        break;
    }
  }
}

// Lets live jobs finish for the grace period, then cancels them. What does not
// end then ends the process after kLastResort.
void Drain(const Config& config, const SignalWaiter& waiter,
           RunningServer& server) {
  spdlog::info("shutting down: finishing live jobs, {:.0f} s at most",
               absl::ToDoubleSeconds(config.shutdown_grace));
  server.Drain();
  if (WaitForPool(waiter, config.shutdown_grace, config)) return;
  spdlog::warn("cancelling live jobs");
  server.Cancel();
  if (!WaitForPool(waiter, kLastResort, config)) EndHung();
}

int Serve(const ServerOptions& options, const Config& config) {
  const sigset_t signals = BlockSignals();  // before any thread is there
  const auto server = RunningServer::Create(config);
  if (!server.ok()) return Fail(server.status());
  const absl::Status listens = (*server)->Listen();
  if (!listens.ok()) return Fail(listens);
  SignalWaiter waiter(signals);
  (*server)->Start([&waiter] { waiter.Done(); });
  ReloadThread reload(
      /*read=*/
      [&options, &server] {
        auto wanted = ReadConfigAgain(options);
        if (!wanted.ok()) (*server)->CannotReload();
        return wanted;
      },
      /*take=*/[&server](const Config& wanted) { (*server)->Reload(wanted); });
  const SignalWaiter::Event event = WaitForEnd(waiter, reload);
  reload.Close();
  if (event != SignalWaiter::Event::kDone) Drain(config, waiter, **server);
  // With all devices out, the pool ends while jobs wait: they hear of it.
  (*server)->Cancel();
  EndWithin(kLastWrites + kLastResort, signals, config.jobs.results_folder);
  (*server)->Stop(kLastWrites);
  spdlog::info("stopped");
  return 0;
}

// What lies in a models_folder may come later.
absl::Status CheckAliases(const Config& config) {
  if (!config.models_folder.empty()) return absl::OkStatus();
  std::set<std::string> ids;
  for (const ModelConfig& model : config.models) ids.insert(model.id);
  for (const auto& [alias, id] : config.http.model_aliases) {
    if (ids.count(id) > 0) continue;
    return absl::InvalidArgumentError(
        absl::StrCat("http.model_aliases.", alias, " \"", id,
                     "\" is not one of models: ", absl::StrJoin(ids, ", ")));
  }
  return absl::OkStatus();
}

// Whether the server could start with `config`, as far as files tell.
int Check(const Config& config) {
  absl::Status status =
      FrontEnd::Check(FrontEndOptionsOf(config), Clock::Real());
  status.Update(HttpDoor::Check(config.http));
  status.Update(OtlpHeaders::Check(config.tracing.headers_file));
  if (!status.ok()) return Fail(status);
  const auto missing = MissingFiles(config);
  if (!missing.empty()) {
    return Fail(absl::NotFoundError(absl::StrJoin(missing, "; ")));
  }
  status = CheckAliases(config);
  if (status.ok()) status = WorkerPool::Check(config);
  if (!status.ok()) return Fail(status);
  for (const std::string& folder : MissingFolders(config)) {
    std::cout << folder << ", and is looked for now and then\n";
  }
  const std::string page = HttpDoor::MissingPage(config.http);
  if (!page.empty()) std::cout << page << "\n";
  std::cout << "the configuration is good" << std::endl;
  return 0;
}

int Main(int argc, char** argv) {
  // gRPC's own complaints come on top of ours; GRPC_VERBOSITY brings them back.
  setenv("GRPC_VERBOSITY", "NONE", /*overwrite=*/0);
  CLI::App app("Serves image generation over gRPC.", "genzo-server");
  ServerOptions options;
  AddOptions(app, options);
  app.set_version_flag("--version", Version());
  app.footer(
      "Exit status: 0 after SIGINT or SIGTERM, which let live jobs finish; 4 "
      "after a second one, which ends at once; 2 for a bad configuration or an "
      "address in use; 3 if something hung at the end. SIGHUP reads the "
      "configuration again.");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : kUsageError;
  }
  const auto config = ReadConfig(options);
  if (!config.ok()) return Fail(config.status());
  const absl::Status logging =
      InitLogging(config->log_level, config->log_format);
  if (!logging.ok()) return Fail(logging);
  return options.check ? Check(*config) : Serve(options, *config);
}

}  // namespace
}  // namespace genzo

int main(int argc, char** argv) {
  genzo::RestartIfAddressSpaceIsLimited(argv);
  const int status = genzo::EndOutput("genzo-server", genzo::Main(argc, argv));
  spdlog::shutdown();
  // Not exit(): what is left are LibTorch's static objects, whose end takes
  // seconds where the processor is busy and would be taken for a hang.
  std::_Exit(status);
}
