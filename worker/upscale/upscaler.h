#ifndef GENZO_WORKER_UPSCALE_UPSCALER_H_
#define GENZO_WORKER_UPSCALE_UPSCALER_H_

#include <cstdint>
#include <memory>
#include <string>

#include "ATen/core/Tensor.h"
#include "absl/status/statusor.h"
#include "c10/core/Device.h"
#include "worker/weights/tensor_source.h"

namespace genzo {

// What there is to know of an upscaler without reading its weights. A value.
struct UpscalerTraits {
  std::string architecture;  // "RRDBNet" or "SRVGGNetCompact"
  int scale = 1;             // of width and height
  int multiple = 1;          // sides that it takes are multiples of it
  int minimum = 1;           // and no shorter
  int reach = 0;             // pixels around one that decide what becomes of it
  int64_t bytes_per_pixel = 0;  // of the input, at the worst moment
  int64_t weight_bytes = 0;     // in memory
};

// A network that makes pictures larger. Immutable; any thread may call it, one
// at a time on a CUDA device. Computes in float32, so that pictures do not
// depend on the device's fast type; LibTorch's exceptions leave it as they are.
class Upscaler {
 public:
  virtual ~Upscaler() = default;

  virtual const UpscalerTraits& traits() const = 0;

  // Pixels [1, 3, H, W] float32 in [0, 1], H and W as the traits want them ->
  // [1, 3, H * scale, W * scale] around [0, 1], not clamped. On its device.
  virtual at::Tensor Enlarge(const at::Tensor& pixels) const = 0;

  virtual const c10::Device& device() const = 0;
};

// The tensors of a *.safetensors or *.pth file; of the second, a pickle, only
// what describes tensors is read. Errors name the path.
absl::StatusOr<std::shared_ptr<const TensorSource>> OpenUpscalerFile(
    const std::string& path);

// What a file of the Real-ESRGAN family holds, told by the names and shapes of
// its tensors, whichever of the published names they have. UNIMPLEMENTED names
// the file where it is another network or one with sizes that nobody published.
absl::StatusOr<UpscalerTraits> DescribeUpscaler(const TensorSource& source);

// The network of a file, on `device`. INVALID_ARGUMENT, NOT_FOUND or
// UNIMPLEMENTED name file and tensor.
absl::StatusOr<std::unique_ptr<const Upscaler>> LoadUpscaler(
    const std::string& path, const c10::Device& device);

}  // namespace genzo

#endif  // GENZO_WORKER_UPSCALE_UPSCALER_H_
