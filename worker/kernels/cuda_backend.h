#ifndef GENZO_WORKER_KERNELS_CUDA_BACKEND_H_
#define GENZO_WORKER_KERNELS_CUDA_BACKEND_H_

#include <functional>
#include <memory>

#include "ATen/core/Tensor.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "worker/kernels/group_norm.h"

// What of Genzo is written for CUDA itself. It needs CUDA's own headers and
// libraries, so it is built into a shared object, libgenzo_cuda.so (folder
// worker/cuda), that is opened at run time where there is a driver: one binary
// serves machines with and without.

namespace genzo {

// Work for a device that can be done again without the CPU's launching every
// part of it. Goes before its recorder.
class Recording {
 public:
  virtual ~Recording() = default;

  // Does the recorded work again, on the calling thread's stream and the same
  // memory. Only queues it. Throws c10::Error.
  virtual void Replay() = 0;
};

// Makes recordings. Those of one recorder share their working memory, so they
// are replayed one after another on one stream, and what one leaves behind is
// read before the next. For one thread.
class Recorder {
 public:
  virtual ~Recorder() = default;

  // Records what `work` queues on the calling thread's stream, without doing
  // it. `work` must not wait for the device, read memory of the CPU, draw
  // random numbers or need what was never done before (a first call prepares
  // kernels). Memory that it takes stays the recordings' own; what one leaves
  // behind, the next one's replay may overwrite. Throws what `work` throws, and
  // c10::Error if CUDA refuses; but for memory, either leaves everything as it
  // was.
  virtual std::unique_ptr<Recording> Record(
      const std::function<void()>& work) = 0;

  // Gives the memory of all recordings back, none of which may be left.
  virtual void Reset() = 0;
};

// Any thread may call it.
class CudaBackend {
 public:
  virtual ~CudaBackend() = default;

  // Whether GroupNorm() does right for x's type on x's device: that was tried
  // against LibTorch's operator when it was first asked. If not, the reason is
  // warned of once.
  virtual bool CanGroupNorm(const at::Tensor& x) = 0;

  // As ChannelsLastGroupNorm(), for x on a CUDA device, float32, bfloat16 or
  // float16, and weight, bias and shift beside it. Queued on the calling
  // thread's stream. Throws c10::Error.
  virtual at::Tensor GroupNorm(const at::Tensor& x, const at::Tensor& shift,
                               const at::Tensor& weight, const at::Tensor& bias,
                               const GroupNormOptions& options) = 0;

  // CUDA graphs on `device`. The thread that records has a stream of its own.
  virtual std::unique_ptr<Recorder> NewRecorder(const at::Device& device) = 0;

  // Gives the devices what LibTorch keeps of their memory and does not use.
  // Waits for recordings under way, during which LibTorch gives nothing back.
  virtual void ReturnFreeMemory() = 0;
};

// Opens the driver and LibTorch's CUDA libraries on the first call, once for
// the process. UNAVAILABLE says which is missing. Nobody may ask LibTorch about
// CUDA before: it keeps its first answer for ever.
absl::Status OpenCuda();

// The same, and then libgenzo_cuda.so. Without that everything works by
// LibTorch's own means.
absl::StatusOr<CudaBackend*> OpenCudaBackend();

}  // namespace genzo

#endif  // GENZO_WORKER_KERNELS_CUDA_BACKEND_H_
