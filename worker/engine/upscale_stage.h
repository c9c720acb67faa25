#ifndef GENZO_WORKER_ENGINE_UPSCALE_STAGE_H_
#define GENZO_WORKER_ENGINE_UPSCALE_STAGE_H_

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <thread>

#include "ATen/core/Tensor.h"
#include "absl/base/thread_annotations.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "base/clock.h"
#include "base/metrics.h"
#include "base/upscaler_catalog.h"
#include "queue/job_queue.h"
#include "worker/device/device_stream.h"
#include "worker/engine/job_state.h"
#include "worker/engine/picture_writer.h"
#include "worker/upscale/enlargement.h"
#include "worker/upscale/upscaler_folders.h"

namespace genzo {

// One of a painted job's pictures on its way to a larger one.
struct UpscaleTask {
  std::shared_ptr<JobState> job;
  int image_index = 0;
  std::string upscaler;
  v1::UpscaleRequest size;  // what of it says how large
  // [1, 3, H, W] in [0, 1] on the CPU; called on the stage's thread.
  std::function<at::Tensor()> pixels;
  // Takes the larger picture, likewise, on that thread. The image fails with
  // what this answers or throws, or what kept the picture from coming.
  std::function<absl::Status(at::Tensor larger)> done;
  // Called there before the job is let go for another worker, as the device is
  // at fault: may keep with the job where the image stands. Null: the image
  // begins anew.
  std::function<void()> keep = nullptr;
};

// Enlarges pictures on a thread of its own, so that neither steps nor previews
// wait: those of jobs that are painted, and those that were sent to be
// enlarged, which it takes from a queue of their own, one after the other. A
// painted one goes before the next tile of a sent one. Between tiles it asks
// whether somebody still wants the picture, and whether the device is in use:
// jobs whose pictures it cannot enlarge are let go for another worker.
// Thread-safe.
class UpscaleStage {
 public:
  struct Options {
    const UpscalerCatalog* upscalers = nullptr;  // null: filters alone
    JobQueue* queue = nullptr;                   // null: none are sent
    c10::Device device = c10::Device(c10::kCPU);
    int64_t memory_bytes = int64_t{1} << 30;  // of a tile
    prometheus::Counter* tiles = nullptr;     // counts them; null: nobody
    // Asked before every tile how many threads may compute it: any thread.
    std::function<int()> threads;
    // Called whenever a task is done, on the stage's thread.
    std::function<void()> on_done;
    // Asked on that thread when a picture failed as it would on a broken
    // device: false, and the picture goes to another worker, as all do until
    // SetUsable(true), no more sent ones are taken, and `on_broken` is called.
    // Null: it always works.
    std::function<bool()> device_works = nullptr;
    std::function<void()> on_broken = nullptr;
  };
  // What `options` name, `clock` and `metrics` outlive the stage.
  UpscaleStage(Options options, const DeviceStream& stream, const Clock& clock,
               Metrics& metrics);
  // Finishes what waits; sent pictures too, if their queue is closed.
  ~UpscaleStage();

  // Never waits: who submits counts Images() before taking on more.
  void Submit(UpscaleTask task) ABSL_LOCKS_EXCLUDED(mutex_);

  // Whether it may enlarge; at first it may.
  void SetUsable(bool usable) ABSL_LOCKS_EXCLUDED(mutex_);

  // Images whose tasks are not done, by tenant.
  TenantCounts Images() const ABSL_LOCKS_EXCLUDED(mutex_);

  // Waits until a task was done since the last call, or there is none.
  void AwaitOne() ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  // Asked between tiles with how far it is; not OK ends the enlarging.
  using GoOn = std::function<absl::Status(const Enlargement& enlargement)>;

  void Loop();
  void RunTasks() ABSL_LOCKS_EXCLUDED(mutex_);
  void Run(const UpscaleTask& task);
  absl::Status TryTo(const UpscaleTask& task) ABSL_LOCKS_EXCLUDED(mutex_);
  // Null if there is none, or other things are to be done.
  std::shared_ptr<JobLease> TakeSent() ABSL_LOCKS_EXCLUDED(mutex_);
  void RunSent(std::shared_ptr<JobLease> lease);
  // False if the device is at fault.
  bool IsThePictures(const absl::Status& fault) ABSL_LOCKS_EXCLUDED(mutex_);
  absl::StatusOr<at::Tensor> EnlargeSent(JobLease& lease, absl::Time deadline);
  absl::StatusOr<at::Tensor> Enlarge(const std::string& upscaler,
                                     const v1::UpscaleRequest& size,
                                     at::Tensor pixels, const GoOn& go_on);

  const UpscalerCatalog filters_;
  const Options options_;
  const DeviceStream stream_;
  const Clock& clock_;
  Metrics& metrics_;
  LoadedUpscalers loaded_;  // of the stage's thread
  mutable absl::Mutex mutex_;
  bool closed_ ABSL_GUARDED_BY(mutex_) = false;
  bool usable_ ABSL_GUARDED_BY(mutex_) = true;
  std::deque<UpscaleTask> tasks_ ABSL_GUARDED_BY(mutex_);
  TenantCounts images_ ABSL_GUARDED_BY(mutex_);
  int64_t done_ ABSL_GUARDED_BY(mutex_) = 0;  // tasks, so far
  int64_t seen_ ABSL_GUARDED_BY(mutex_) = 0;  // of them by AwaitOne()
  PictureWriter writer_;                      // of sent pictures
  std::thread thread_;                        // last: uses the rest
};

}  // namespace genzo

#endif  // GENZO_WORKER_ENGINE_UPSCALE_STAGE_H_
