#include <filesystem>

#include "ATen/ops/cat.h"
#include "ATen/ops/full.h"
#include "absl/strings/str_cat.h"
#include "tests/parity/cases.h"
#include "worker/denoiser/unet_2d_condition.h"
#include "worker/weights/component.h"

namespace genzo::parity {

Conditioning RecordedConditioning(const Golden& golden) {
  Conditioning conditioning;
  const auto recorded = [&](const std::string& name) {
    return golden.Has(name) ? golden.Tensor(name) : at::Tensor();
  };
  conditioning.tokens = recorded("net0.in.encoder_hidden_states");
  if (!conditioning.tokens.defined()) {
    conditioning.tokens =
        golden.Has("negative_prompt_embeds")
            ? at::cat({golden.Tensor("negative_prompt_embeds"),
                       golden.Tensor("prompt_embeds")})
            : golden.Tensor("prompt_embeds");
  }
  conditioning.pooled = recorded("net0.in.added_cond_kwargs.text_embeds");
  conditioning.numbers = recorded("net0.in.added_cond_kwargs.time_ids");
  const at::Tensor classes = recorded("net0.in.class_labels");
  if (classes.defined() && classes.dim() == 1) {
    conditioning.numbers = classes.unsqueeze(1);
  } else if (classes.defined()) {
    conditioning.pooled = classes;
  }
  if (golden.Has("net0.in.timestep_cond")) {
    const double scale = golden.manifest["call"]["guidance_scale"];
    const at::Tensor guidance =
        at::full({conditioning.tokens.size(0), 1}, scale - 1, at::kFloat);
    // Behind SDXL's sizes, as its pipeline joins them.
    conditioning.numbers = conditioning.numbers.defined()
                               ? at::cat({conditioning.numbers, guidance}, 1)
                               : guidance;
  }
  return conditioning;
}

void CompareFirstCall(const Golden& golden, const Denoiser& denoiser,
                      std::shared_ptr<const AdapterSet> adapters,
                      Report& report) {
  const at::Tensor sample = golden.Tensor("net0.in.sample");
  const auto timestep =
      golden.Tensor("net0.in.timestep").to(at::kFloat).item<float>();
  Conditioning conditioning = RecordedConditioning(golden);
  conditioning.adapters = std::move(adapters);
  const auto prepared = denoiser.Prepare(conditioning);
  if (!prepared.ok()) {
    return report.Fail(std::string(prepared.status().message()));
  }
  report.CompareTensors(
      "unet",
      Predict(denoiser, sample, std::vector<float>(sample.size(0), timestep),
              **prepared),
      golden.Tensor("net0.out"));
}

Report RunUNetCase(const Golden& golden, const ModelCache& models) {
  Report report(
      absl::StrCat(golden.manifest["name"].get<std::string>(), "/unet"));
  const auto& components = golden.manifest["components"];
  const std::string model = golden.manifest["model"];
  const std::string folder =
      models.Path(components.value("unet", absl::StrCat(model, "/unet")));
  if (!std::filesystem::exists(folder) || !golden.Has("net0.in.sample") ||
      !golden.manifest["lora"].is_null() ||
      components.size() > components.count("unet")) {
    report.Unsupported("no U-Net as it is");
    return report;
  }
  const auto unet =
      OpenComponent(folder, ReadUNet2DConditionConfig, Placement());
  if (absl::IsUnimplemented(unet.status())) {
    report.Unsupported(std::string(unet.status().message()));
    return report;
  }
  if (!unet.ok()) {
    report.Fail(std::string(unet.status().message()));
    return report;
  }
  const UNet2DConditionModel network(unet->config, unet->weights);
  const absl::Status finished = unet->weights.Finish();
  if (!finished.ok()) {
    report.Fail(std::string(finished.message()));
  } else {
    CompareFirstCall(golden, network, /*adapters=*/nullptr, report);
  }
  return report;
}

}  // namespace genzo::parity
