#include "worker/cuda/graph_recorder.h"

#include <cuda_runtime_api.h>

#include <exception>

#include "ATen/cuda/MemPool.h"
#include "c10/core/DeviceGuard.h"
#include "c10/cuda/CUDACachingAllocator.h"
#include "c10/cuda/CUDAException.h"
#include "c10/cuda/CUDAStream.h"

namespace genzo {
namespace {

namespace allocator = c10::cuda::CUDACachingAllocator;

// While it lives, memory that is taken for `stream` comes from `pool`.
class ScopedPool {
 public:
  ScopedPool(c10::DeviceIndex device, const c10::MempoolId_t& pool,
             cudaStream_t stream)
      : device_(device), pool_(pool) {
    allocator::beginAllocateToPool(
        device_, pool_,
        [stream](cudaStream_t other) { return other == stream; });
  }
  ~ScopedPool() {
    try {
      allocator::endAllocateToPool(device_, pool_);
      allocator::releasePool(device_, pool_);  // begin held it once more
    } catch (const std::exception& e) {
      TORCH_WARN("a recording's memory: ", e.what());
    }
  }
  ScopedPool(const ScopedPool&) = delete;
  ScopedPool& operator=(const ScopedPool&) = delete;

 private:
  const c10::DeviceIndex device_;
  const c10::MempoolId_t pool_;
};

// While it lives, what this thread queues on `stream` is captured. Other
// threads go on allocating and launching.
class ScopedCapture {
 public:
  explicit ScopedCapture(cudaStream_t stream) : stream_(stream) {
    C10_CUDA_CHECK(
        cudaStreamBeginCapture(stream_, cudaStreamCaptureModeThreadLocal));
  }
  ~ScopedCapture() {
    if (!ended_) {
      cudaStreamEndCapture(stream_, &graph_);
      cudaGetLastError();  // an invalid capture is no news here
    }
    if (graph_ != nullptr) cudaGraphDestroy(graph_);
  }
  ScopedCapture(const ScopedCapture&) = delete;
  ScopedCapture& operator=(const ScopedCapture&) = delete;

  // What was captured, ready to run.
  cudaGraphExec_t End() {
    ended_ = true;
    C10_CUDA_CHECK(cudaStreamEndCapture(stream_, &graph_));
    cudaGraphExec_t runnable = nullptr;
    // Each kernel keeps the priority of its stream; what a library took and
    // did not free is no reason to refuse the second launch.
    C10_CUDA_CHECK(cudaGraphInstantiateWithFlags(
        &runnable, graph_,
        cudaGraphInstantiateFlagAutoFreeOnLaunch |
            cudaGraphInstantiateFlagUseNodePriority));
    return runnable;
  }

 private:
  const cudaStream_t stream_;
  cudaGraph_t graph_ = nullptr;
  bool ended_ = false;
};

class GraphRecording : public Recording {
 public:
  GraphRecording(const c10::Device& device, std::mutex& recording,
                 cudaGraphExec_t graph)
      : device_(device), recording_(recording), graph_(graph) {}
  ~GraphRecording() override {
    const std::lock_guard<std::mutex> lock(recording_);
    cudaGraphExecDestroy(graph_);
  }
  GraphRecording(const GraphRecording&) = delete;
  GraphRecording& operator=(const GraphRecording&) = delete;

  void Replay() override {
    const c10::DeviceGuard on_device(device_);
    C10_CUDA_CHECK(cudaGraphLaunch(
        graph_, c10::cuda::getCurrentCUDAStream(device_.index()).stream()));
  }

 private:
  const c10::Device device_;
  std::mutex& recording_;
  const cudaGraphExec_t graph_;
};

// Whether the device has less memory left than the allocator keeps unused.
bool IsShortOfMemory(c10::DeviceIndex device) {
  const auto stats = allocator::getDeviceStats(device);
  const int64_t unused =
      stats.reserved_bytes[0].current - stats.allocated_bytes[0].current;
  const size_t left = allocator::get()->getMemoryInfo(device).first;
  return left < static_cast<size_t>(unused);
}

class GraphRecorder : public Recorder {
 public:
  GraphRecorder(const c10::Device& device, std::mutex& recording)
      : device_(device), recording_(recording) {
    TakePool();
  }
  ~GraphRecorder() override { allocator::releasePool(device_.index(), pool_); }

  std::unique_ptr<Recording> Record(
      const std::function<void()>& work) override {
    const std::lock_guard<std::mutex> lock(recording_);
    const c10::DeviceGuard on_device(device_);
    const cudaStream_t stream = c10::cuda::getCurrentCUDAStream().stream();
    // A recording takes as much memory as it took to do the work, which the
    // allocator still keeps, and during a capture it can give nothing back.
    if (IsShortOfMemory(device_.index())) allocator::emptyCache();
    const ScopedPool memory(device_.index(), pool_, stream);
    ScopedCapture capture(stream);
    work();
    return std::make_unique<GraphRecording>(device_, recording_, capture.End());
  }

  void Reset() override {
    allocator::releasePool(device_.index(), pool_);
    TakePool();
    const std::lock_guard<std::mutex> lock(recording_);
    allocator::emptyCache();
  }

 private:
  // Held until it is released, whether or not a recording uses it.
  void TakePool() {
    pool_ = at::cuda::MemPool::graph_pool_handle();
    allocator::createOrIncrefPool(device_.index(), pool_);
  }

  const c10::Device device_;
  std::mutex& recording_;
  c10::MempoolId_t pool_;
};

}  // namespace

std::unique_ptr<Recorder> NewGraphRecorder(const c10::Device& device,
                                           std::mutex& recording) {
  return std::make_unique<GraphRecorder>(device, recording);
}

}  // namespace genzo
