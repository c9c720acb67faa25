#include "worker/upscale/upscaler.h"

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "worker/upscale/compact_net.h"
#include "worker/upscale/rrdb_net.h"
#include "worker/weights/safetensors.h"
#include "worker/weights/torch_file/torch_file.h"

namespace genzo {
namespace {

absl::Status UnknownError(const TensorSource& source) {
  return absl::UnimplementedError(absl::StrCat(
      source.path(),
      ": is no RRDBNet (x1, x2, x4, x8) or SRVGGNetCompact of RGB pictures"));
}

// Beside the weights that are used, training leaves others in a file.
absl::Status FinishWithout(const Weights& weights) {
  for (const char* other : {"params", "optimizer", "params_ema"}) {
    weights[other].LeaveOut();
  }
  return weights.Finish();
}

}  // namespace

absl::StatusOr<std::shared_ptr<const TensorSource>> OpenUpscalerFile(
    const std::string& path) {
  if (absl::EndsWith(path, ".pth")) return TorchFile::Open(path);
  return SafetensorsFile::Open(path);
}

absl::StatusOr<UpscalerTraits> DescribeUpscaler(const TensorSource& source) {
  if (const auto rrdb = ReadRrdbNet(source)) return TraitsOf(rrdb->config);
  if (const auto compact = ReadCompactNet(source)) return TraitsOf(*compact);
  return UnknownError(source);
}

absl::StatusOr<std::unique_ptr<const Upscaler>> LoadUpscaler(
    const std::string& path, const c10::Device& device) {
  const auto source = OpenUpscalerFile(path);
  if (!source.ok()) return source.status();
  const Weights weights(*source, at::kFloat, device);
  std::unique_ptr<const Upscaler> upscaler;
  if (const auto rrdb = ReadRrdbNet(**source)) {
    weights.Rename(rrdb->names);
    upscaler = std::make_unique<RrdbNet>(rrdb->config, weights, device);
  } else if (const auto compact = ReadCompactNet(**source)) {
    upscaler = std::make_unique<CompactNet>(*compact, weights, device);
  } else {
    return UnknownError(**source);
  }
  const absl::Status status = FinishWithout(weights);
  if (!status.ok()) return status;
  return upscaler;
}

}  // namespace genzo
