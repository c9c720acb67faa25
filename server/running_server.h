#ifndef GENZO_SERVER_RUNNING_SERVER_H_
#define GENZO_SERVER_RUNNING_SERVER_H_

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/config.h"
#include "base/metrics.h"
#include "base/model_catalog.h"
#include "base/models_folder.h"
#include "base/process_metrics.h"
#include "base/upscaler_catalog.h"
#include "base/work_thread.h"
#include "gateway/door.h"
#include "queue/memory_job_queue.h"
#include "queue/pool_load.h"
#include "queue/split_job_queue.h"
#include "server/admin_pages.h"
#include "server/front_end.h"
#include "server/heard_models.h"
#include "server/models_watch.h"
#include "server/otlp_exporter.h"
#include "server/readiness.h"
#include "server/stall_watch.h"
#include "worker/engine/worker_pool.h"

namespace genzo {

// A front end and a pool of workers in one process. Its life, one call after
// the other on the main thread, but for Reload(), which has a thread to itself:
//
//   Create   the parts are there; nothing is loaded and nobody can call
//   Listen   the doors are open: jobs are taken, and wait
//   Start    models are loaded, jobs painted; it is ready once there is a model
//   Reload   as often as the configuration has changed
//   Drain    takes no more jobs; the pool is done once those it has are
//   Cancel   these end early, unfinished
//   Stop     readers get their last events, and the doors close
class RunningServer {
 public:
  // Looks for models, devices and folders; serves the pages for those who run
  // the server. The pool's and the pages' errors, naming device or address.
  static absl::StatusOr<std::unique_ptr<RunningServer>> Create(
      const Config& config);
  // Waits for the pool, which is to be done.
  ~RunningServer() = default;

  // Of the front end and the HTTP door: UNAVAILABLE if an address cannot be
  // used, or what is wrong with a file of keys, certificates or results.
  absl::Status Listen();

  // `done` is called once the pool's threads have ended, on one of them.
  void Start(const std::function<void()>& done);

  // Takes over what is safe of a changed configuration; the log says what is
  // not. Reads files of keys, which may hang. One at a time, from Start() on;
  // may come with a Drain() that begins meanwhile.
  void Reload(const Config& wanted);
  // It cannot be read, or says what cannot be: what was read before counts.
  void CannotReload() { TellConfiguration(/*is_in_force=*/false); }

  // Waits for nothing.
  void Drain();
  void Cancel() { queue_.CancelAll(); }

  // Readers have until `last_writes`; with none it takes no time, whoever is
  // connected.
  void Stop(absl::Duration last_writes);

 private:
  // `later` are models that nobody waits for at the start.
  RunningServer(const Config& config, const Config& with_found,
                ModelsFolder folder, std::vector<ModelConfig> later);

  absl::Status ServePages();
  absl::Status MakePool();
  absl::Status OpenHttpDoor();

  // The health service, the figures and standard output say so.
  void TellServing(bool is);
  // A model has come by itself or because somebody asked.
  void ModelLoaded(const std::string& id);
  // The pool has loaded what is configured, or could not.
  void FirstModelsLoaded();
  // One more model, or other files of one, for jobs to ask for. `pinned` as in
  // ModelControl.
  void AddModel(const ModelConfig& model, std::optional<bool> pinned);
  // Looks every second whether jobs get on.
  void LookForStall();
  // Whether the file of the configuration is in force as it is.
  void TellConfiguration(bool is_in_force) {
    metrics_.SetFileInForce("configuration", is_in_force);
  }

  const Config config_;  // with the default model that was found
  Config started_;       // as it was read, with the models taken over since
  const ModelsFolder folder_;
  const std::vector<ModelConfig> later_;

  Metrics metrics_;
  // Held here: the registry does not.
  const std::shared_ptr<ProcessMetrics> process_metrics_ =
      std::make_shared<ProcessMetrics>();
  const std::unique_ptr<OtlpExporter> tracer_;  // null: spans go nowhere
  ModelCatalog catalog_;
  PoolLoad load_;
  MemoryJobQueue painting_;
  PoolLoad upscaling_load_;
  MemoryJobQueue upscaling_;
  SplitJobQueue queue_;
  UpscalerCatalog upscalers_;
  Readiness readiness_;
  std::unique_ptr<AdminPages> pages_;  // null: none
  std::unique_ptr<WorkerPool> pool_;
  std::optional<HeardModels> models_;
  std::unique_ptr<FrontEnd> front_end_;
  std::unique_ptr<HttpDoor> http_door_;  // null: none
  // Use the rest, from Start() on.
  std::optional<ModelsWatch> models_watch_;
  std::optional<PoolStallWatch> stall_watch_;  // of `stall_looks_` alone
  bool is_stalled_ = false;                    // likewise
  std::unique_ptr<WorkThread> stall_looks_;
};

}  // namespace genzo

#endif  // GENZO_SERVER_RUNNING_SERVER_H_
