#ifndef GENZO_WORKER_ENGINE_ENCODE_STAGE_H_
#define GENZO_WORKER_ENGINE_ENCODE_STAGE_H_

#include <atomic>
#include <deque>
#include <functional>
#include <memory>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "base/clock.h"
#include "base/metrics.h"
#include "worker/device/device_stream.h"
#include "worker/engine/job_state.h"
#include "worker/pipeline/pipeline.h"
#include "worker/residency/engine_device.h"
#include "worker/residency/side_networks.h"

namespace genzo {

// A job whose texts and pictures are encoded, or could not be.
struct EncodedJob {
  std::shared_ptr<JobState> job;
  absl::StatusOr<Encoded> encoded;
};

// Turns what jobs bring, texts and pictures, into what denoisers take, on a
// thread of its own, so that the step loop does not wait: a picture takes as
// long as a decode, a large text encoder longer. Jobs of one model that wait
// are encoded together. One job's fault is its own. Always on one CPU thread:
// nobody knows whether an encoder's bits depend on their number. Thread-safe.
class EncodeStage {
 public:
  enum class Where {
    kOwnThread,
    kCaller,  // Submit() encodes before it returns
  };

  // `on_encoded` is called after every result, on the thread that made it.
  // Encoders run on `stream`. `networks` are those that jobs name beside their
  // models, read here, so that the step loop does not wait; null: none. They,
  // and what `dependencies` name, outlive the stage.
  EncodeStage(int64_t text_cache_bytes, const DeviceStream& stream,
              const EngineDependencies& dependencies,
              std::function<void()> on_encoded, Where where = Where::kOwnThread,
              SideNetworks* networks = nullptr);
  // Drops what waits.
  ~EncodeStage();

  // `together`: the bits of a text do not depend on its company.
  void Submit(std::shared_ptr<JobState> job, bool together)
      ABSL_LOCKS_EXCLUDED(mutex_);

  // What was encoded since the last call, in order of arrival.
  std::vector<EncodedJob> TakeEncoded() ABSL_LOCKS_EXCLUDED(mutex_);

  // Waits until TakeEncoded() has something or nothing is under way.
  void AwaitEncoded() ABSL_LOCKS_EXCLUDED(mutex_);

  // Images of jobs that were submitted and not yet taken, by tenant.
  TenantCounts Images() const ABSL_LOCKS_EXCLUDED(mutex_);

  // Lets go of all texts, as when a model leaves memory.
  void ForgetTexts() { forget_texts_ = true; }

 private:
  struct Waiting {
    std::shared_ptr<JobState> job;
    bool together = true;
  };

  void Loop();
  // Jobs of one model, at least one.
  std::vector<Waiting> NextLocked() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void EncodeAll(const std::vector<Waiting>& waiting);
  // Takes over a library that is another by now.
  void TakeLibrary();
  std::vector<absl::StatusOr<Encoded>> Encode(
      const std::vector<Waiting>& waiting);
  // What the job brings, with pictures read and networks in memory.
  absl::StatusOr<EncodeTask> TaskOf(JobState& job);
  // What steers a pass at the size of the task's request.
  absl::Status Steer(const PipelineTraits& traits, const MaskedCanvas* canvas,
                     EncodeTask& task) const;
  void Deliver(const Waiting& waiting, absl::StatusOr<Encoded> encoded,
               absl::Time begin) ABSL_LOCKS_EXCLUDED(mutex_);
  void CountTexts(const std::string& model);

  // Where the job begins at the latent of an earlier one, that.
  absl::Status AddLatent(const JobState& job, Encoded& encoded) const;

  const DeviceStream stream_;
  const Clock& clock_;
  Metrics& metrics_;
  const EmbeddingFolders* const embeddings_;  // may be null
  LatentStore* const latents_;                // likewise
  const std::function<void()> on_encoded_;
  SideNetworks* const networks_;
  // Of the encoding thread. The texts have the words of the library.
  std::shared_ptr<const EmbeddingLibrary> library_;
  TextCache texts_;
  std::atomic<bool> forget_texts_{false};
  mutable absl::Mutex mutex_;
  bool closed_ ABSL_GUARDED_BY(mutex_) = false;
  std::deque<Waiting> waiting_ ABSL_GUARDED_BY(mutex_);
  int encoding_ ABSL_GUARDED_BY(mutex_) = 0;  // jobs, right now
  std::vector<EncodedJob> encoded_ ABSL_GUARDED_BY(mutex_);
  TenantCounts images_ ABSL_GUARDED_BY(mutex_);
  std::thread thread_;  // last: uses the rest; none where the caller encodes
};

}  // namespace genzo

#endif  // GENZO_WORKER_ENGINE_ENCODE_STAGE_H_
