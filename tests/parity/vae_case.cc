#include "tests/parity/cases.h"
#include "worker/codec/autoencoder_kl.h"
#include "worker/weights/model_index.h"

namespace genzo::parity {

void RunVaeCase(const Golden& golden, ModelCache& models, Report& report) {
  // The model's other components may be of a family that is not supported.
  const auto index = ReadModelIndex(models.Path(golden.manifest["model"]));
  if (!index.ok()) return report.Fail(std::string(index.status().message()));
  for (const char* name : {"vae", "vqvae"}) {
    const auto found = index->components.find(name);
    if (found == index->components.end()) continue;
    const auto folder = index->Component(name, "AutoencoderKL");
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
    return;
  }
  report.Unsupported("no component vae");
}

}  // namespace genzo::parity
