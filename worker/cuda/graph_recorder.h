#ifndef GENZO_WORKER_CUDA_GRAPH_RECORDER_H_
#define GENZO_WORKER_CUDA_GRAPH_RECORDER_H_

#include <memory>
#include <mutex>

#include "c10/core/Device.h"
#include "worker/kernels/cuda_backend.h"

namespace genzo {

// Recordings that are CUDA graphs. They share a pool of LibTorch's caching
// allocator, which keeps their working memory at its address. Not by LibTorch's
// own at::cuda::CUDAGraph: a capture that fails leaves its generator and its
// allocators in the middle of it, and destroying one graph while another thread
// records races. `recording` is held while recording; it outlives the recorder.
std::unique_ptr<Recorder> NewGraphRecorder(const c10::Device& device,
                                           std::mutex& recording);

}  // namespace genzo

#endif  // GENZO_WORKER_CUDA_GRAPH_RECORDER_H_
