#include "worker/vision/safety_checker.h"

#include <cmath>
#include <string>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/string_view.h"

namespace genzo {
namespace {

// A picture of a special concept is judged as if every cosine after it were so
// much larger.
constexpr float kAdjustment = 0.01f;

// To three decimals as numpy rounds a float32.
float Rounded(float x) { return std::nearbyint(x * 1000.0f) / 1000.0f; }

// A score for each cosine. Once a special one is over 0, `adjustment` is that
// of all others.
std::vector<float> ScoresOf(const at::Tensor& cosines,
                            const std::vector<float>& limits, bool special,
                            float& adjustment) {
  std::vector<float> scores;
  const at::Tensor row = cosines.view({-1}).contiguous();
  for (size_t i = 0; i < limits.size(); ++i) {
    scores.push_back(
        Rounded(row.const_data_ptr<float>()[i] - limits[i] + adjustment));
    if (special && scores.back() > 0) adjustment = kAdjustment;
  }
  return scores;
}

// How many rows a tensor has; 0 if there is no such tensor.
int64_t RowsOf(const TensorSource& tensors, const std::string& name) {
  const auto found = tensors.entries().find(name);
  return found == tensors.entries().end() || found->second.shape.empty()
             ? 0
             : found->second.shape[0];
}

// Published files hold a whole CLIPVisionModel as "vision_model".
RenameTable NamesInside(const TensorSource& tensors) {
  constexpr absl::string_view kOutside = "vision_model.";
  RenameTable table;
  for (const auto& [name, entry] : tensors.entries()) {
    if (absl::StartsWith(name, "vision_model.vision_model.")) {
      table[name] = name.substr(kOutside.size());
    }
  }
  return table;
}

std::vector<float> ToVector(const at::Tensor& tensor) {
  const float* values = tensor.const_data_ptr<float>();
  return {values, values + tensor.numel()};
}

}  // namespace

absl::StatusOr<std::unique_ptr<const SafetyChecker>> SafetyChecker::Open(
    const ComponentFiles& checker, const ComponentFiles& feature_extractor,
    const Placement& placement) {
  const auto config = ReadClipVisionConfig(checker.At("config.json"));
  if (!config.ok()) return config.status();
  auto processor =
      ClipImageProcessor::Read(feature_extractor, config->image_size);
  if (!processor.ok()) return processor.status();
  auto tensors = checker.OpenTensors();
  if (!tensors.ok()) return tensors.status();
  const int64_t specials = RowsOf(**tensors, "special_care_embeds");
  const int64_t concepts = RowsOf(**tensors, "concept_embeds");
  const Weights weights(*tensors, placement.dtype, placement.device);
  weights.Rename(NamesInside(**tensors));
  std::unique_ptr<SafetyChecker> result(new SafetyChecker(
      *std::move(processor), ClipVisionEncoder(*config, weights)));
  const at::TensorOptions cpu(at::kCPU);
  const int64_t width = result->vision_.embedding_size();
  const auto rows = [&](const char* name, int64_t count) {
    return weights.GetFloat(name, {count, width}).to(cpu);
  };
  const auto limits = [&](const char* name, int64_t count) {
    return ToVector(weights.GetFloat(name, {count}).to(cpu));
  };
  result->special_embeds_ = rows("special_care_embeds", specials);
  result->concept_embeds_ = rows("concept_embeds", concepts);
  result->special_limits_ = limits("special_care_embeds_weights", specials);
  result->concept_limits_ = limits("concept_embeds_weights", concepts);
  result->weight_bytes_ = weights.taken_bytes();
  const absl::Status finished =
      weights.Finish({ClipVisionEncoder::kPositionIds});
  if (!finished.ok()) return finished;
  return result;
}

SafetyChecker::Cosines SafetyChecker::CosinesOf(
    const at::Tensor& embedding) const {
  const at::Tensor e = embedding.to(at::kCPU, at::kFloat);
  return {.special = CosineSimilarity(e, special_embeds_),
          .concepts = CosineSimilarity(e, concept_embeds_)};
}

SafetyVerdict SafetyChecker::Judge(const Cosines& cosines) const {
  SafetyVerdict verdict;
  float adjustment = 0;
  verdict.special_scores =
      ScoresOf(cosines.special, special_limits_, /*special=*/true, adjustment);
  verdict.concept_scores = ScoresOf(cosines.concepts, concept_limits_,
                                    /*special=*/false, adjustment);
  for (const float score : verdict.concept_scores) {
    verdict.unsafe = verdict.unsafe || score > 0;
  }
  return verdict;
}

SafetyVerdict SafetyChecker::Check(const Pixels& pixels) const {
  return Judge(
      CosinesOf(vision_.forward(processor_.Process(pixels)).embedding));
}

}  // namespace genzo
