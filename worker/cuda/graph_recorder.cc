#include "worker/cuda/graph_recorder.h"

#include "ATen/cuda/CUDAGraph.h"
#include "c10/core/DeviceGuard.h"

namespace genzo {
namespace {

class GraphRecording : public Recording {
 public:
  GraphRecording(const c10::Device& device, const std::function<void()>& work,
                 const c10::MempoolId_t& pool)
      : device_(device) {
    const c10::DeviceGuard on_device(device_);
    // Other threads go on allocating and launching: only what this one does
    // belongs to the graph.
    graph_.capture_begin(pool, cudaStreamCaptureModeThreadLocal);
    try {
      work();
      graph_.capture_end();
    } catch (...) {
      Abandon(pool);
      throw;
    }
  }

  ~GraphRecording() override {
    const c10::DeviceGuard on_device(device_);
    graph_.reset();
  }

  void Replay() override {
    const c10::DeviceGuard on_device(device_);
    graph_.replay();
  }

 private:
  // After a failure the stream and the allocator must leave the capture too.
  // capture_end() sees to both unless CUDA calls the capture invalid: then it
  // throws before it comes to the allocator.
  void Abandon(const c10::MempoolId_t& pool) noexcept {
    try {
      graph_.capture_end();
    } catch (...) {
    }
    try {
      namespace allocator = c10::cuda::CUDACachingAllocator;
      allocator::endAllocateToPool(device_.index(), pool);  // throws if it did
      allocator::releasePool(device_.index(), pool);
    } catch (...) {
    }
  }

  const c10::Device device_;
  at::cuda::CUDAGraph graph_;
};

class GraphRecorder : public Recorder {
 public:
  explicit GraphRecorder(const c10::Device& device)
      : device_(device), pool_(at::cuda::graph_pool_handle()) {}

  std::unique_ptr<Recording> Record(
      const std::function<void()>& work) override {
    return std::make_unique<GraphRecording>(device_, work, pool_);
  }

 private:
  const c10::Device device_;
  const c10::MempoolId_t pool_;
};

}  // namespace

std::unique_ptr<Recorder> NewGraphRecorder(const c10::Device& device) {
  return std::make_unique<GraphRecorder>(device);
}

}  // namespace genzo
