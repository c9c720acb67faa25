#include <algorithm>
#include <cstdlib>

#include "ATen/TensorOperators.h"
#include "ATen/ops/chunk.h"
#include "ATen/ops/replication_pad2d.h"
#include "absl/strings/str_cat.h"
#include "tests/parity/cases.h"
#include "tests/parity/reference_calls.h"
#include "worker/media/pixel_tensors.h"

namespace genzo::parity {
namespace {

// The largest difference of a byte; 255 where the sizes differ.
int LargestDifference(const Pixels& pixels, const at::Tensor& image) {
  const Pixels expected = PixelsOf(image);
  if (expected.rgb.size() != pixels.rgb.size() ||
      expected.width != pixels.width) {
    return 255;
  }
  int largest = 0;
  for (size_t i = 0; i < pixels.rgb.size(); ++i) {
    largest = std::max(largest,
                       std::abs(static_cast<unsigned char>(pixels.rgb[i]) -
                                static_cast<unsigned char>(expected.rgb[i])));
  }
  return largest;
}

// What was painted, scaled to the region as the reference does, in its picture.
Pixels Pasted(const MaskedCanvas& canvas, const Pixels& painted) {
  MaskedCanvas of_region = canvas;
  of_region.inset = {.width = canvas.region.width,
                     .height = canvas.region.height};
  return PastedInto(
      of_region,
      Scaled(painted, canvas.inset, canvas.region.width, canvas.region.height));
}

}  // namespace

Pixels PixelsOf(const at::Tensor& picture) {
  const at::Tensor rgb =
      picture.dim() == 2 ? picture.unsqueeze(2).expand({-1, -1, 3}) : picture;
  const at::Tensor bytes = rgb.contiguous();
  return {.width = static_cast<int>(bytes.size(1)),
          .height = static_cast<int>(bytes.size(0)),
          .rgb = std::string(static_cast<const char*>(bytes.const_data_ptr()),
                             bytes.nbytes())};
}

absl::StatusOr<std::optional<MaskedCanvas>> CroppedCanvas(
    const Golden& golden) {
  const auto padding = ReferenceCall(golden.manifest).padding();
  if (!padding.has_value() || !golden.Has("input_mask")) return std::nullopt;
  const int width = golden.manifest["width"];
  const int height = golden.manifest["height"];
  auto masked = PrepareMasked(
      PixelsOf(golden.Tensor("input_image")),
      PixelsOf(golden.Tensor("input_mask")),
      {.width = width, .height = height, .only_masked = *padding});
  if (!masked.ok()) return masked.status();
  return std::move(masked->canvas);
}

Pixels Fitted(const Golden& golden, const Pixels& picture,
              const std::optional<MaskedCanvas>& canvas, int64_t divisor) {
  const int width = golden.manifest["width"].get<int>() / divisor;
  const int height = golden.manifest["height"].get<int>() / divisor;
  return canvas.has_value()
             ? SeenInRegion(*canvas, picture, ResizeMode::kStretch, width,
                            height)
             : FitToSize(picture, width, height, ResizeMode::kStretch);
}

absl::Status SetPictures(const Golden& golden, const PipelineTraits& traits,
                         EncodeTask& task) {
  const auto canvas = CroppedCanvas(golden);
  if (!canvas.ok()) return canvas.status();
  if (golden.Has("input_image")) {
    const at::Tensor image = golden.Tensor("input_image");
    if (image.scalar_type() != at::kByte || image.dim() != 3) {
      return absl::UnimplementedError("input_image is not one uint8 picture");
    }
    const Pixels whole = PixelsOf(image);
    task.picture =
        ToTensor(traits.sees_whole_picture
                     ? whole
                     : Fitted(golden, whole, *canvas, traits.picture_divisor));
    task.whole_picture = std::make_shared<const Pixels>(whole);
  }
  if (golden.Has("input_mask")) {
    const Pixels grey =
        Fitted(golden, PixelsOf(golden.Tensor("input_mask")), *canvas);
    const at::Tensor zero_to_one = (ToTensor(grey) + 1) / 2;
    task.mask = (zero_to_one.narrow(1, 0, 1) >= 0.5).to(at::kFloat);
  }
  if (golden.Has("input_depth_map")) {
    task.depth = golden.Tensor("input_depth_map").unsqueeze(1);
  }
  return absl::OkStatus();
}

void ComparePictures(const Golden& golden, const Encoded& encoded,
                     Report& report) {
  int next = 0;
  // What control networks read is encoded before the picture.
  for (const EncodedControl& control : encoded.controls) {
    if (control.hint.defined()) ++next;
  }
  for (const LatentDistribution* made : {&encoded.picture, &encoded.masked}) {
    if (!made->defined()) continue;
    report.CompareTensors(
        "mean", made->mean,
        golden.Tensor(absl::StrCat("vae_encode.", next++, ".moments"))
            .chunk(2, 1)[0]);
  }
}

void ComparePainted(const Golden& golden, const at::Tensor& decoded,
                    Report& report) {
  const at::Tensor expected = golden.Tensor("image_uint8");
  const auto canvas = CroppedCanvas(golden);
  const Pixels painted = ToPixels(decoded[0]);
  if (canvas.ok() && canvas->has_value()) {
    const Pixels pasted = Pasted(**canvas, painted);
    if (LargestDifference(pasted, expected[0]) <
        LargestDifference(painted, expected[0])) {
      return report.CompareImages(ToTensor(pasted), expected);
    }
  }
  report.CompareImages(decoded, expected);
}

at::Tensor DrawOf(const Golden& golden, const std::string& name,
                  int64_t image) {
  const at::Tensor drawn = golden.Tensor(name);
  return drawn.narrow(0, drawn.size(0) == 1 ? 0 : image, 1);
}

}  // namespace genzo::parity
