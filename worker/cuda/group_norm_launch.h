#ifndef GENZO_WORKER_CUDA_GROUP_NORM_LAUNCH_H_
#define GENZO_WORKER_CUDA_GROUP_NORM_LAUNCH_H_

#include <algorithm>
#include <cstdint>

namespace genzo {

// Sizes of a call, as Extent in group_norm.cu: x [rows, pixels, channels].
struct GroupNormExtent {
  int channels;
  int pixels;
  int groups;
  int chunks;
  int chunk_pixels;
};

// How the kernels of group_norm.cu share out one call: blocks [chunks, rows] of
// `lanes` x `depth` threads, of which a lane owns `vector` adjacent channels
// (16 bytes, where the number of channels allows it) and walks over every
// depth-th pixel of a chunk.
struct GroupNormLaunch {
  // Of x [rows, channels, H, W] with pixels = H W and elements of
  // `element_bytes`. Depends on a row's own size alone, so a row is computed
  // alike in any company.
  GroupNormLaunch(int64_t channels, int64_t pixels, int64_t groups,
                  int64_t element_bytes) {
    const int64_t widest = 16 / element_bytes;
    vector = channels % widest == 0 ? widest : 1;
    lanes = std::min(channels / vector, kThreads);
    depth = std::max<int64_t>(kThreads / lanes, 1);
    const int64_t chunk_pixels =
        std::max((pixels + kMostChunks - 1) / kMostChunks, kLeastPixels);
    chunks = (pixels + chunk_pixels - 1) / chunk_pixels;
    shared_bytes = 2 * depth * channels * int64_t{sizeof(float)};
    extent = {static_cast<int>(channels), static_cast<int>(pixels),
              static_cast<int>(groups), static_cast<int>(chunks),
              static_cast<int>(chunk_pixels)};
  }

  static constexpr int64_t kThreads = 256;
  static constexpr int64_t kMostChunks = 1024;  // of a row
  static constexpr int64_t kLeastPixels = 16;   // of a chunk

  int64_t vector;
  int64_t lanes;
  int64_t depth;
  int64_t chunks;
  int64_t shared_bytes;  // of a block of ChunkMoments
  GroupNormExtent extent;
};

// A block of JoinMoments: a warp for each of so many groups at a time.
constexpr int64_t kJoinLanes = 32;
constexpr int64_t kJoinGroups = 8;

}  // namespace genzo

#endif  // GENZO_WORKER_CUDA_GROUP_NORM_LAUNCH_H_
