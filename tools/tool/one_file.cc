#include "tools/tool/one_file.h"

#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "nlohmann/json.hpp"
#include "worker/weights/joined_tensors.h"
#include "worker/weights/json_config.h"
#include "worker/weights/single_file/builtin_documents.h"
#include "worker/weights/single_file/derived_config.h"
#include "worker/weights/single_file/latent_settings.h"
#include "worker/weights/single_file/single_file.h"

namespace genzo {
namespace {

using nlohmann::json;
using Metadata = std::map<std::string, std::string>;
using Source = std::shared_ptr<const TensorSource>;

absl::StatusOr<std::string> FamilyOf(const ModelIndex& index) {
  const char* const denoiser =
      index.components.count("unet") > 0 ? "unet" : "transformer";
  const auto network = index.FilesOf(denoiser).OpenTensors();
  if (!network.ok()) return network.status();
  return FamilyOfFolder(index.pipeline_class, (*network)->entries());
}

// All tensors of the index in one source, under original names.
absl::StatusOr<Source> JoinParts(const ModelIndex& index,
                                 const std::string& family) {
  std::vector<Source> parts;
  for (const auto& [component, class_name] : index.components) {
    if (!HasTensors(class_name) || component == kSafetyChecker) continue;
    const auto tensors = index.FilesOf(component).OpenTensors();
    if (!tensors.ok()) return tensors.status();
    auto part = ToOriginalNames(*tensors, family, component, class_name);
    if (!part.ok()) return part.status();
    parts.push_back(*std::move(part));
  }
  return JoinedTensors::Create(index.folder, std::move(parts));
}

// By the names that trainers write. A single file tells of EDM by tensors that
// hold a part of the settings alone.
absl::Status DescribeScheduler(const ModelIndex& index, Metadata& metadata) {
  const TextFile file = index.FilesOf("scheduler").At("scheduler_config.json");
  if (!file.Exists()) return absl::OkStatus();
  auto scheduler = JsonConfig::ReadFile(file);
  if (!scheduler.ok()) return scheduler.status();
  const std::string class_name =
      scheduler->ClassName(index.ClassOf("scheduler"));
  if (absl::StartsWith(class_name, "EDM")) {
    return absl::UnimplementedError(
        absl::StrCat(scheduler->name(), ": _class_name ", class_name,
                     " has no place in a single file"));
  }
  // Flow is the family's, and has no name there.
  if (absl::StartsWith(class_name, "FlowMatch")) return absl::OkStatus();
  const json& says = scheduler->object();
  const json prediction = says.value("prediction_type", json("epsilon"));
  if (prediction == "epsilon" || prediction == "v_prediction") {
    metadata["modelspec.prediction_type"] =
        prediction == "epsilon" ? "epsilon" : "v";
  }
  if (says.value("rescale_betas_zero_snr", json()) == true) {
    metadata["ss_zero_terminal_snr"] = "True";
  }
  return absl::OkStatus();
}

absl::Status DescribeLatents(const ModelIndex& index, const std::string& family,
                             Metadata& metadata) {
  const TextFile file = index.FilesOf("vae").At("config.json");
  if (family.empty() || !file.Exists()) return absl::OkStatus();
  const auto vae = JsonConfig::ReadFile(file);
  if (!vae.ok()) return vae.status();
  const auto tensors = index.FilesOf("vae").OpenTensors();
  if (!tensors.ok()) return tensors.status();
  AddLatentSettings(
      vae->object(),
      DeriveConfig("AutoencoderKL",
                   FamilyDocument(family)["components"]["vae"]["config"],
                   (*tensors)->entries()),
      metadata);
  return absl::OkStatus();
}

}  // namespace

bool HasTensors(const std::string& class_name) {
  return !absl::StrContains(class_name, "Tokenizer") &&
         !absl::EndsWith(class_name, "Scheduler") &&
         !absl::EndsWith(class_name, "Processor") &&
         !absl::EndsWith(class_name, "FeatureExtractor");
}

absl::StatusOr<OneFile> InOneFile(const ModelIndex& index) {
  const auto family = FamilyOf(index);
  if (!family.ok()) return family.status();
  OneFile file = {*family, nullptr, {{"format", "pt"}}};
  absl::Status status = DescribeScheduler(index, file.metadata);
  if (status.ok()) status = DescribeLatents(index, *family, file.metadata);
  if (!status.ok()) return status;
  auto tensors = JoinParts(index, *family);
  if (!tensors.ok()) return tensors.status();
  file.tensors = *std::move(tensors);
  return file;
}

}  // namespace genzo
