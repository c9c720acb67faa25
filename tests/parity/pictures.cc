#include "ATen/TensorOperators.h"
#include "ATen/ops/chunk.h"
#include "absl/strings/str_cat.h"
#include "tests/parity/cases.h"

namespace genzo::parity {

Pixels PixelsOf(const at::Tensor& picture) {
  const at::Tensor bytes = picture.contiguous();
  return {.width = static_cast<int>(bytes.size(1)),
          .height = static_cast<int>(bytes.size(0)),
          .rgb = std::string(static_cast<const char*>(bytes.const_data_ptr()),
                             bytes.nbytes())};
}

void SetPictures(const Golden& golden, EncodeTask& task) {
  if (golden.Has("input_image")) {
    const at::Tensor hwc = golden.Tensor("input_image");
    task.picture =
        hwc.permute({2, 0, 1}).unsqueeze(0).to(at::kFloat) / 255 * 2 - 1;
    task.whole_picture = std::make_shared<const Pixels>(PixelsOf(hwc));
  }
  if (golden.Has("input_mask")) {
    const at::Tensor grey = golden.Tensor("input_mask").to(at::kFloat) / 255;
    task.mask = (grey >= 0.5).to(at::kFloat).unsqueeze(0).unsqueeze(0);
  }
  if (golden.Has("input_depth_map")) {
    task.depth = golden.Tensor("input_depth_map").unsqueeze(1);
  }
}

void ComparePictures(const Golden& golden, const Encoded& encoded,
                     Report& report) {
  int next = 0;
  for (const LatentDistribution* made : {&encoded.picture, &encoded.masked}) {
    if (!made->defined()) continue;
    report.CompareTensors(
        "mean", made->mean,
        golden.Tensor(absl::StrCat("vae_encode.", next++, ".moments"))
            .chunk(2, 1)[0]);
  }
}

at::Tensor DrawOf(const Golden& golden, const std::string& name,
                  int64_t image) {
  const at::Tensor drawn = golden.Tensor(name);
  return drawn.narrow(0, drawn.size(0) == 1 ? 0 : image, 1);
}

}  // namespace genzo::parity
