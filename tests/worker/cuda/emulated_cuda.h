#ifndef GENZO_TESTS_WORKER_CUDA_EMULATED_CUDA_H_
#define GENZO_TESTS_WORKER_CUDA_EMULATED_CUDA_H_

#include <algorithm>
#include <barrier>
#include <bit>
#include <cmath>
#include <functional>
#include <thread>
#include <vector>

#include "c10/util/Half.h"

// As much of CUDA C++ as Genzo's kernels use, so that a test can include them
// and run them on the CPU: the threads of a block are threads, blocks come one
// after another.

#define __device__ [[maybe_unused]] static
#define __shared__
#define GENZO_KERNEL [[maybe_unused]] static

namespace genzo::emulated_cuda {

struct Index {
  int x, y;
};

inline thread_local Index threadIdx;
inline thread_local Index blockIdx;
inline Index blockDim;
inline std::barrier<>* block_barrier = nullptr;

inline void __syncthreads() { block_barrier->arrive_and_wait(); }

inline float __uint_as_float(unsigned bits) {
  return std::bit_cast<float>(bits);
}
inline unsigned __float_as_uint(float x) { return std::bit_cast<unsigned>(x); }
inline float HalfToFloat(unsigned short bits) {
  return c10::Half(bits, c10::Half::from_bits());
}
inline unsigned short FloatToHalf(float x) { return c10::Half(x).x; }

using ::expf;
using ::sqrtf;
inline float fmaxf(float a, float b) { return std::max(a, b); }

// Runs `kernel` once for every thread of every block.
inline void Launch(Index grid, Index block,
                   const std::function<void()>& kernel) {
  blockDim = block;
  std::barrier<> barrier(block.x * block.y);
  block_barrier = &barrier;
  std::vector<std::thread> threads;
  for (int y = 0; y < block.y; ++y) {
    for (int x = 0; x < block.x; ++x) {
      threads.emplace_back([&, x, y] {
        threadIdx = {x, y};
        for (int i = 0; i < grid.x * grid.y; ++i) {
          blockIdx = {i % grid.x, i / grid.x};
          kernel();
          __syncthreads();  // shared memory is the next block's
        }
      });
    }
  }
  for (std::thread& thread : threads) thread.join();
}

}  // namespace genzo::emulated_cuda

#endif  // GENZO_TESTS_WORKER_CUDA_EMULATED_CUDA_H_
