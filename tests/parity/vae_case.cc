#include "tests/parity/cases.h"
#include "worker/codec/autoencoder_kl.h"
#include "worker/codec/vq_codec.h"
#include "worker/weights/model_index.h"

namespace genzo::parity {
namespace {

void RunVqCase(const Golden& golden, const ModelIndex& index, Report& report) {
  const auto codec = VqCodec::Load(index, "vqvae", {});
  if (!codec.ok()) {
    return report.Fail(std::string(codec.status().message()));
  }
  const at::Tensor latents =
      (*codec)->Encode(golden.Tensor("input_pixels")).mean;
  report.CompareTensors("latents", latents, golden.Tensor("latents"));
  const at::Tensor numbers = (*codec)->NearestCodes(latents);
  report.CompareTensors("vq_indices", numbers.flatten(),
                        golden.Tensor("vq_indices"));
  report.CompareTensors("vq_quantized", (*codec)->CodesAt(numbers),
                        golden.Tensor("vq_quantized"));
  report.CompareTensors("decoded", (*codec)->Decode((*codec)->Scale(latents)),
                        golden.Tensor("decoded"));
}

}  // namespace

void RunVaeCase(const Golden& golden, ModelCache& models, Report& report) {
  // The model's other components may be of a family that is not supported.
  const auto index = ReadModelIndex(models.Path(golden.manifest["model"]));
  if (!index.ok()) return report.Fail(std::string(index.status().message()));
  if (index->components.count("vqvae") > 0) {
    return RunVqCase(golden, *index, report);
  }
  if (index->components.count("vae") == 0) {
    return report.Unsupported("no component vae");
  }
  const auto folder = index->Component("vae", "AutoencoderKL");
  if (absl::IsUnimplemented(folder.status())) {
    return report.Unsupported(std::string(folder.status().message()));
  }
  if (!folder.ok()) {
    return report.Fail(std::string(folder.status().message()));
  }
  const auto config = ReadAutoencoderKLConfig(folder->At("config.json"));
  if (absl::IsUnimplemented(config.status())) {
    return report.Unsupported(std::string(config.status().message()));
  }
  if (!config.ok()) {
    return report.Fail(std::string(config.status().message()));
  }
  const auto tensors = folder->OpenTensors();
  if (!tensors.ok()) {
    return report.Fail(std::string(tensors.status().message()));
  }
  const Weights weights(*tensors, at::kFloat, at::kCPU);
  const AutoencoderKL vae(*config, weights);
  const absl::Status finished = weights.Finish();
  if (!finished.ok()) return report.Fail(std::string(finished.message()));
  const at::Tensor moments = vae.encode(golden.Tensor("input_pixels"));
  report.CompareTensors("moments", moments,
                        golden.Tensor("vae_encode.0.moments"));
  report.CompareTensors(
      "decoded", vae.decode(moments.narrow(1, 0, config->latent_channels)),
      golden.Tensor("decoded"));
}

}  // namespace genzo::parity
