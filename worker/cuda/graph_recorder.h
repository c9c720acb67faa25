#ifndef GENZO_WORKER_CUDA_GRAPH_RECORDER_H_
#define GENZO_WORKER_CUDA_GRAPH_RECORDER_H_

#include <memory>

#include "c10/core/Device.h"
#include "worker/kernels/cuda_backend.h"

namespace genzo {

// Recordings that are CUDA graphs. They share a pool of LibTorch's caching
// allocator, which keeps their working memory at its address.
std::unique_ptr<Recorder> NewGraphRecorder(const c10::Device& device);

}  // namespace genzo

#endif  // GENZO_WORKER_CUDA_GRAPH_RECORDER_H_
