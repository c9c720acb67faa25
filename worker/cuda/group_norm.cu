// Group normalisation (arXiv:1803.08494) of feature maps that are channels last
// in memory, with a shift before and SiLU after it. Compiled at run time by
// NVRTC, once for every element type and vector width:
//   GENZO_ELEMENT  float, Bfloat16 or Half
//   GENZO_VECTOR   adjacent channels that a thread owns
// and, so that its sums can be tested without a GPU, by the C++ compiler
// (tests/worker/cuda/emulated_cuda.h).
//
// Three passes, as in worker/kernels/group_norm.cc: moments of every chunk of
// pixels, joined to a scale and an offset for every channel, which are applied.
// Which thread adds what depends on the size of one row alone.

struct Bfloat16 {
  unsigned short bits;
};
struct Half {
  unsigned short bits;
};

#ifdef __CUDACC_RTC__
#define GENZO_KERNEL extern "C" __global__
// As cuda_fp16.h has them, whose folder only a toolkit has in a known place.
__device__ float HalfToFloat(unsigned short bits) {
  float x;
  asm("cvt.f32.f16 %0, %1;" : "=f"(x) : "h"(bits));
  return x;
}
__device__ unsigned short FloatToHalf(float x) {
  unsigned short bits;
  asm("cvt.rn.f16.f32 %0, %1;" : "=h"(bits) : "f"(x));
  return bits;
}
#endif

__device__ float ToFloat(float x) { return x; }
__device__ float ToFloat(Bfloat16 x) {
  return __uint_as_float(static_cast<unsigned>(x.bits) << 16);
}
__device__ float ToFloat(Half x) { return HalfToFloat(x.bits); }

__device__ void Assign(float x, float& to) { to = x; }
__device__ void Assign(float x, Bfloat16& to) {
  const unsigned bits = __float_as_uint(x);
  // To nearest even; adding to a NaN could make it an infinity.
  to.bits = x != x ? 0x7fc0 : (bits + 0x7fff + ((bits >> 16) & 1)) >> 16;
}
__device__ void Assign(float x, Half& to) { to.bits = FloatToHalf(x); }

typedef GENZO_ELEMENT Element;

struct alignas(sizeof(Element) * GENZO_VECTOR) Vector {
  Element at[GENZO_VECTOR];
};

// Sizes of a call: x [rows, pixels, channels].
struct Extent {
  int channels;
  int pixels;
  int groups;
  int chunks;
  int chunk_pixels;
};

// Mean and sum of squared deviations of some values; joined as in Chan et al.,
// "Updating formulae", 1979.
struct Moments {
  float count;
  float mean;
  float m2;
};

__device__ Moments Join(const Moments& a, const Moments& b) {
  const float count = a.count + b.count;
  if (count == 0) return a;
  const float delta = b.mean - a.mean;
  const float share = b.count / count;
  return {count, a.mean + delta * share,
          a.m2 + b.m2 + delta * delta * a.count * share};
}

__device__ const Element* FirstOfChunk(const Element* x, const Extent& extent) {
  const long long pixel =
      static_cast<long long>(blockIdx.y) * extent.pixels +
      static_cast<long long>(blockIdx.x) * extent.chunk_pixels;
  return x + pixel * extent.channels;
}

// The last chunk may be smaller.
__device__ int PixelsOfChunk(int chunk, const Extent& extent) {
  const int left = extent.pixels - chunk * extent.chunk_pixels;
  return left < extent.chunk_pixels ? left : extent.chunk_pixels;
}

// moments [rows, chunks, 2, groups]: mean and m2 of a chunk's values in a
// group, with `shift` [rows, channels] (or null) added. Sums are of differences
// to the chunk's first pixel: values far from zero lose no digits.
// Shared memory: [2, blockDim.y, channels] floats.
GENZO_KERNEL void ChunkMoments(const Element* x, const float* shift,
                               float* moments, Extent extent) {
  extern __shared__ float shared[];
  const int channels = extent.channels;
  const int pixels = PixelsOfChunk(blockIdx.x, extent);
  const Element* const first = FirstOfChunk(x, extent);
  float* const sums = shared;
  float* const squares = shared + blockDim.y * channels;
  for (int c = threadIdx.x * GENZO_VECTOR; c < channels;
       c += blockDim.x * GENZO_VECTOR) {
    const Vector pivot = *reinterpret_cast<const Vector*>(first + c);
    float sum[GENZO_VECTOR] = {};
    float square[GENZO_VECTOR] = {};
    for (int pixel = threadIdx.y; pixel < pixels; pixel += blockDim.y) {
      const Vector values = *reinterpret_cast<const Vector*>(
          first + static_cast<long long>(pixel) * channels + c);
      for (int i = 0; i < GENZO_VECTOR; ++i) {
        const float delta = ToFloat(values.at[i]) - ToFloat(pivot.at[i]);
        sum[i] += delta;
        square[i] += delta * delta;
      }
    }
    for (int i = 0; i < GENZO_VECTOR; ++i) {
      sums[threadIdx.y * channels + c + i] = sum[i];
      squares[threadIdx.y * channels + c + i] = square[i];
    }
  }
  __syncthreads();
  const int thread = threadIdx.y * blockDim.x + threadIdx.x;
  const int threads = blockDim.x * blockDim.y;
  const float count = pixels;
  // A channel's mean and m2, in place of the first of its sums and squares.
  for (int c = thread; c < channels; c += threads) {
    float sum = 0;
    float square = 0;
    for (int y = 0; y < blockDim.y; ++y) {
      sum += sums[y * channels + c];
      square += squares[y * channels + c];
    }
    const float mean = sum / count;
    const float raise = shift == nullptr ? 0 : shift[blockIdx.y * channels + c];
    sums[c] = ToFloat(first[c]) + raise + mean;
    squares[c] = fmaxf(square - sum * mean, 0);
  }
  __syncthreads();
  const int per_group = channels / extent.groups;
  float* const out =
      moments + 2ll * extent.groups * (blockIdx.y * extent.chunks + blockIdx.x);
  for (int group = thread; group < extent.groups; group += threads) {
    const int begin = group * per_group;
    float mean = 0;
    for (int c = begin; c < begin + per_group; ++c) mean += sums[c];
    mean /= per_group;
    float m2 = 0;
    for (int c = begin; c < begin + per_group; ++c) {
      m2 += squares[c] + count * (sums[c] - mean) * (sums[c] - mean);
    }
    out[group] = mean;
    out[extent.groups + group] = m2;
  }
}

// What the calling lane has seen of `group`: every blockDim.x-th chunk.
__device__ Moments JoinChunks(const float* moments, int group,
                              const Extent& extent) {
  Moments sum = {0, 0, 0};
  if (group >= extent.groups) return sum;
  for (int chunk = threadIdx.x; chunk < extent.chunks; chunk += blockDim.x) {
    const float count = static_cast<float>(PixelsOfChunk(chunk, extent)) *
                        (extent.channels / extent.groups);
    const float* const in =
        moments + 2ll * extent.groups * (blockIdx.x * extent.chunks + chunk);
    sum = Join(sum, {count, in[group], in[extent.groups + group]});
  }
  return sum;
}

// affine [rows, 2, channels]: what each channel is multiplied by and then
// raised by. A block a row; its lanes [blockDim.y, blockDim.x], the latter a
// power of two, work on blockDim.y groups at a time.
// Shared memory: a Moments for each thread.
GENZO_KERNEL void JoinMoments(const float* moments, const float* shift,
                              const float* weight, const float* bias, float eps,
                              float* affine, Extent extent) {
  extern __shared__ float shared[];
  Moments* const lanes =
      reinterpret_cast<Moments*>(shared) + threadIdx.y * blockDim.x;
  const int per_group = extent.channels / extent.groups;
  float* const scale = affine + 2ll * blockIdx.x * extent.channels;
  for (int first = 0; first < extent.groups; first += blockDim.y) {
    const int group = first + threadIdx.y;
    Moments& mine = lanes[threadIdx.x];
    mine = JoinChunks(moments, group, extent);
    for (int half = blockDim.x / 2; half > 0; half /= 2) {
      __syncthreads();
      if (threadIdx.x < half) mine = Join(mine, lanes[threadIdx.x + half]);
    }
    __syncthreads();
    const Moments sum = lanes[0];
    const float inverse = 1 / sqrtf(sum.m2 / sum.count + eps);
    const int end = group < extent.groups ? (group + 1) * per_group : 0;
    for (int c = group * per_group + threadIdx.x; c < end; c += blockDim.x) {
      const float raise =
          shift == nullptr ? 0 : shift[blockIdx.x * extent.channels + c];
      scale[c] = weight[c] * inverse;
      scale[extent.channels + c] =
          bias[c] + (raise - sum.mean) * weight[c] * inverse;
    }
    __syncthreads();  // the next groups overwrite the lanes
  }
}

// y = x scale + offset, then y sigmoid(y) if `silu`.
GENZO_KERNEL void ApplyAffine(const Element* x, const float* affine, int silu,
                              Element* y, Extent extent) {
  const int channels = extent.channels;
  const int pixels = PixelsOfChunk(blockIdx.x, extent);
  const Element* const in = FirstOfChunk(x, extent);
  Element* const out = y + (in - x);
  const float* const scales = affine + 2ll * blockIdx.y * channels;
  for (int c = threadIdx.x * GENZO_VECTOR; c < channels;
       c += blockDim.x * GENZO_VECTOR) {
    float scale[GENZO_VECTOR];
    float offset[GENZO_VECTOR];
    for (int i = 0; i < GENZO_VECTOR; ++i) {
      scale[i] = scales[c + i];
      offset[i] = scales[channels + c + i];
    }
    for (int pixel = threadIdx.y; pixel < pixels; pixel += blockDim.y) {
      const long long at = static_cast<long long>(pixel) * channels + c;
      Vector values = *reinterpret_cast<const Vector*>(in + at);
      for (int i = 0; i < GENZO_VECTOR; ++i) {
        const float value = ToFloat(values.at[i]) * scale[i] + offset[i];
        Assign(silu ? value / (1 + expf(-value)) : value, values.at[i]);
      }
      *reinterpret_cast<Vector*>(out + at) = values;
    }
  }
}
