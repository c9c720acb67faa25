#include "tests/parity/cases.h"
#include "worker/upscale/tiled_upscale.h"
#include "worker/upscale/upscaler.h"

namespace genzo::parity {
namespace {

at::Tensor Upscaled(const Upscaler& upscaler, const at::Tensor& pixels,
                    const TilePlan& plan) {
  TiledUpscale upscale(upscaler, pixels, plan);
  while (!upscale.finished()) upscale.Step();
  return upscale.result();
}

}  // namespace

void RunUpscalerCase(const Golden& golden, const ModelCache& models,
                     Report& report) {
  const auto upscaler =
      LoadUpscaler(models.Path(golden.manifest["model"]), at::kCPU);
  if (absl::IsUnimplemented(upscaler.status())) {
    return report.Unsupported(std::string(upscaler.status().message()));
  }
  if (!upscaler.ok()) {
    return report.Fail(std::string(upscaler.status().message()));
  }
  const UpscalerTraits& traits = (*upscaler)->traits();
  report.Compare(
      "scale", traits.scale == golden.manifest["scale"].get<int>() ? 0 : 1, 0);
  const at::Tensor pixels = golden.Tensor("input_pixels");
  const TilePlan whole =
      PlanTiles(pixels.size(3), pixels.size(2), traits, int64_t{1} << 30);
  const at::Tensor decoded = Upscaled(**upscaler, pixels, whole);
  report.CompareTensors("decoded", decoded, golden.Tensor("decoded"));
  if (golden.Has("image_uint8")) {
    report.CompareImages(decoded * 2 - 1, golden.Tensor("image_uint8"));
  }
  if (!golden.Has("tiled")) return;
  const int64_t tile = golden.manifest["tiled"]["tile"];
  const int64_t pad = golden.manifest["tiled"]["pad"];
  report.CompareTensors("tiled",
                        Upscaled(**upscaler, pixels, {tile, tile, pad}),
                        golden.Tensor("tiled"));
}

}  // namespace genzo::parity
