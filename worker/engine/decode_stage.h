#ifndef GENZO_WORKER_ENGINE_DECODE_STAGE_H_
#define GENZO_WORKER_ENGINE_DECODE_STAGE_H_

#include <climits>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <thread>
#include <vector>

#include "ATen/core/Tensor.h"
#include "absl/base/thread_annotations.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "base/clock.h"
#include "base/metrics.h"
#include "queue/job_demand.h"
#include "worker/device/device_stream.h"
#include "worker/engine/job_state.h"
#include "worker/engine/picture_finisher.h"
#include "worker/engine/picture_writer.h"

namespace genzo {

// A latent on its way to being a picture.
struct DecodeTask {
  std::shared_ptr<JobState> job;
  int image_index = 0;
  at::Tensor
      latent;  // [1, C, h, w] float32 on the CPU, not written to any more
  bool is_final = true;  // else a preview
  PreviewKind decoder = PreviewKind::kFull;
  bool reproducible = false;  // decoded alone, for the sake of its bits
  uint64_t seed = 0;          // of a final image
  int step = 0;               // of a preview
  int together = INT_MAX;     // tasks that may be decoded at once
  absl::Time submitted;
};

// Turns latents into pictures on a thread of its own, so that the step loop
// does not wait: autoencoder or linear map and resizing, then what
// PictureFinisher does; a second thread writes the files. Latents that wait and
// have one model, size and decoder are decoded together. Finished images go
// first, but behind their own previews; when decoding cannot keep up with the
// steps, the oldest previews of an image are dropped. An image that cannot be
// decoded fails alone, or is let go for another worker if the device is at
// fault. Thread-safe.
class DecodeStage {
 public:
  struct Options {
    size_t max_finals = 1;  // finished images that may wait
    // Asked before every decode how many threads it may compute on: any thread.
    std::function<int()> threads;
    // Hears, on the writer's thread, of every picture how long after its last
    // step it was ready.
    std::function<void(const JobDemand&, absl::Duration)> on_decoded;
    // Where finished images go that are to be enlarged, on the stage's thread:
    // `done` takes the larger pixels, [1, 3, H, W] in [-1, 1], on any thread.
    // Whoever drops it lets the job go. Null: they stay as they are.
    std::function<void(const DecodeTask& task, at::Tensor decoded,
                       std::function<void(at::Tensor)> done)>
        enlarge = nullptr;
    // Asked on the stage's thread when a finished image failed as it would on a
    // broken device: false, and its job goes to another worker. Null: it always
    // works.
    std::function<bool()> device_works = nullptr;
  };
  // Decoders run on `stream`, which steps should not have to wait for. What
  // `options` name, `clock`, `metrics` and `finisher` outlive it.
  DecodeStage(Options options, const DeviceStream& stream, const Clock& clock,
              Metrics& metrics, const PictureFinisher& finisher);
  // As Stop(); and then what was submitted to the hook must be done.
  ~DecodeStage();

  // Finishes what waits, but for what the hook has.
  void Stop() ABSL_LOCKS_EXCLUDED(mutex_);

  // Queues a task; a final one waits while there is no room.
  void Submit(DecodeTask task) ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  void Loop();
  // Tasks to decode together, at least one.
  std::vector<DecodeTask> NextLocked() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  std::deque<DecodeTask>::iterator FirstLocked(bool& is_final)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Decode(const std::vector<DecodeTask>& tasks);
  // In the handler of LibTorch's exception.
  void Failed(const DecodeTask& task);
  // Hands over what is to be enlarged first.
  void Finish(const DecodeTask& task, const at::Tensor& decoded,
              absl::Time begin);
  // Hands pixels to the writer, and what it wrote to the reader.
  void Write(const DecodeTask& task, const at::Tensor& decoded,
             absl::Time begin);
  void WriteFinal(const DecodeTask& task, Pixels pixels, absl::Time begin);
  void WritePreview(const DecodeTask& task, Pixels pixels);
  // From the latent to the picture; of that, to make the file.
  struct Took {
    absl::Duration all;
    absl::Duration writing;
  };
  // `image` lacks its picture.
  void PostFinal(const DecodeTask& task, v1::Image image,
                 absl::StatusOr<v1::Picture> picture, const Took& took);

  const Options options_;
  const DeviceStream stream_;
  const Clock& clock_;
  Metrics& metrics_;
  const PictureFinisher& finisher_;
  absl::Mutex mutex_;
  bool closed_ ABSL_GUARDED_BY(mutex_) = false;
  std::deque<DecodeTask> finals_ ABSL_GUARDED_BY(mutex_);
  std::deque<DecodeTask> previews_ ABSL_GUARDED_BY(mutex_);
  PictureWriter writer_;
  std::thread thread_;  // last: uses the rest
};

}  // namespace genzo

#endif  // GENZO_WORKER_ENGINE_DECODE_STAGE_H_
