#include "worker/weights/single_file/edm_file.h"

#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"

namespace genzo {
namespace {

using nlohmann::json;

constexpr char kMean[] = "edm_mean";
constexpr char kDeviation[] = "edm_std";
constexpr char kMaxSigma[] = "edm_vpred.sigma_max";
constexpr char kMinSigma[] = "edm_vpred.sigma_min";
// Of latents that there are.
constexpr int64_t kMostChannels = 256;
constexpr double kPlaygroundScaling = 0.5;

absl::StatusOr<std::vector<float>> ReadNumbers(const TensorSource& source,
                                               const std::string& name,
                                               int64_t most) {
  const auto found = source.entries().find(name);
  if (found == source.entries().end()) {
    return absl::InvalidArgumentError(
        absl::StrCat(source.path(), ": has no tensor \"", name, "\""));
  }
  const int64_t count = found->second.elements();
  if (count < 1 || count > most) {
    return absl::InvalidArgumentError(
        absl::StrCat(source.path(), ": tensor \"", name, "\" has ", count,
                     " numbers, not 1 to ", most));
  }
  const auto tensor =
      source.Read(name, {.dtype = at::kFloat, .must_be_finite = true});
  if (!tensor.ok()) return tensor.status();
  const auto* const values = tensor->const_data_ptr<float>();
  return std::vector<float>(values, values + count);
}

absl::StatusOr<EdmFile> ReadPlayground(const TensorSource& source) {
  const auto mean = ReadNumbers(source, kMean, kMostChannels);
  if (!mean.ok()) return mean.status();
  const auto deviation = ReadNumbers(source, kDeviation, kMostChannels);
  if (!deviation.ok()) return deviation.status();
  return EdmFile{
      .scheduler = {{"_class_name", "EDMDPMSolverMultistepScheduler"}},
      .vae = {{"latents_mean", *mean},
              {"latents_std", *deviation},
              {"scaling_factor", kPlaygroundScaling}}};
}

absl::StatusOr<EdmFile> ReadCosXl(const TensorSource& source) {
  const auto max = ReadNumbers(source, kMaxSigma, /*most=*/1);
  if (!max.ok()) return max.status();
  EdmFile file = {.scheduler = {{"_class_name", "EDMEulerScheduler"},
                                {"prediction_type", "v_prediction"},
                                {"sigma_data", 1.0},
                                {"sigma_max", max->front()},
                                {"sigma_schedule", "exponential"}}};
  if (source.entries().count(kMinSigma) > 0) {
    const auto min = ReadNumbers(source, kMinSigma, /*most=*/1);
    if (!min.ok()) return min.status();
    file.scheduler["sigma_min"] = min->front();
  }
  return file;
}

}  // namespace

bool IsEdmTensor(const std::string& name) {
  return absl::StartsWith(name, "edm_");
}

absl::StatusOr<EdmFile> ReadEdmFile(const TensorSource& source) {
  if (source.entries().count(kMean) > 0) return ReadPlayground(source);
  if (source.entries().count(kMaxSigma) > 0) return ReadCosXl(source);
  return EdmFile();
}

}  // namespace genzo
