#include "worker/pipeline/control_networks.h"

#include <exception>

#include "absl/strings/str_cat.h"
#include "c10/core/InferenceMode.h"
#include "worker/denoiser/control_net.h"
#include "worker/denoiser/flux_control_net.h"
#include "worker/denoiser/t2i_adapter.h"
#include "worker/device/device_stream.h"
#include "worker/device/exception_status.h"
#include "worker/weights/component.h"
#include "worker/weights/single_file/control_file.h"

namespace genzo {
namespace {

bool IsFlux(const ControlFile& file) {
  return file.class_name == "FluxControlNetModel";
}

bool IsT2IAdapter(const ControlFile& file) {
  return file.class_name == "T2IAdapter";
}

template <typename Network, typename Config>
absl::StatusOr<std::shared_ptr<const ControlNetwork>> Build(
    const ControlFile& file, absl::StatusOr<Config> (*read)(const TextFile&),
    const Placement& placement) {
  const auto opened = OpenComponent(file.files, read, placement);
  if (!opened.ok()) return opened.status();
  auto network =
      std::make_shared<const Network>(opened->config, opened->weights);
  const absl::Status finished = opened->weights.Finish();
  if (!finished.ok()) return finished;
  // Others use it on streams of their own.
  DeviceStream::WaitForThisThread(placement.device);
  return network;
}

}  // namespace

absl::StatusOr<std::string> ControlFitAt(const std::string& path) {
  try {
    const auto file = OpenControlFile(path);
    if (!file.ok()) return file.status();
    const TextFile text = file->files.At("config.json");
    if (IsFlux(*file)) {
      const auto config = ReadFluxControlNetConfig(text);
      if (!config.ok()) return config.status();
      return ControlFitOf(config->transformer);
    }
    if (IsT2IAdapter(*file)) {
      const auto config = ReadT2IAdapterConfig(text);
      if (!config.ok()) return config.status();
      return ControlFitOf(config->unet);
    }
    const auto config = ReadControlNetConfig(text);
    if (!config.ok()) return config.status();
    return ControlFitOf(config->unet);
  } catch (const std::exception&) {
    return StatusFromException(path);
  }
}

absl::StatusOr<int64_t> ControlBytes(const std::string& path,
                                     const Placement& placement) {
  try {
    const auto file = OpenControlFile(path);
    if (!file.ok()) return file.status();
    const auto tensors = file->files.OpenTensors();
    if (!tensors.ok()) return tensors.status();
    int64_t elements = 0;
    for (const auto& [name, entry] : (*tensors)->entries()) {
      elements += entry.elements();
    }
    return elements * static_cast<int64_t>(c10::elementSize(placement.dtype));
  } catch (const std::exception&) {
    return StatusFromException(path);
  }
}

absl::StatusOr<std::shared_ptr<const ControlNetwork>> LoadControl(
    const std::string& path, const Placement& placement,
    std::shared_ptr<TensorPool> pool) {
  c10::InferenceMode inference;
  try {
    auto file = OpenControlFile(path);
    if (!file.ok()) return file.status();
    if (pool != nullptr) file->files.ShareIn(std::move(pool), file->class_name);
    if (IsT2IAdapter(*file)) {
      return Build<T2IAdapter>(*file, ReadT2IAdapterConfig, placement);
    }
    return IsFlux(*file)
               ? Build<FluxControlNet>(*file, ReadFluxControlNetConfig,
                                       placement)
               : Build<ControlNet>(*file, ReadControlNetConfig, placement);
  } catch (const std::exception&) {
    return StatusFromException(path);
  }
}

}  // namespace genzo
