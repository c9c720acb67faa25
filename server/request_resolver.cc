#include "server/request_resolver.h"

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/errors.h"

namespace genzo {
namespace {

using v1::GenerateRequest;

constexpr uint32_t kDefaultSteps = 25;
constexpr double kDefaultGuidanceScale = 7.5;
constexpr double kMaxGuidanceScale = 100;
constexpr uint32_t kDefaultQuality = 90;
constexpr uint32_t kDefaultPreviewQuality = 80;
constexpr uint32_t kMinPreviewSide = 16;
constexpr uint32_t kMaxPreviewSide = 2048;
constexpr uint32_t kMaxPreviewSteps = 1000;
constexpr size_t kMaxRequestIdBytes = 128;
constexpr absl::Duration kModelLoadingRetry = absl::Seconds(2);

// Collects faults, field by field.
class Violations {
 public:
  void Add(const std::string& field, const std::string& description) {
    list_.push_back({field, description});
  }

  template <typename T>
  void CheckRange(const std::string& field, T value, T min, T max) {
    if (value >= min && value <= max) return;  // false for NaN
    Add(field,
        absl::StrCat(field, " ", value, " is not between ", min, " and ", max));
  }

  void CheckText(const std::string& field, const std::string& text,
                 size_t max_bytes) {
    if (text.size() <= max_bytes) return;
    Add(field, absl::StrCat(field, " has ", text.size(),
                            " bytes, the limit is ", max_bytes));
  }

  absl::Status status() const {
    return list_.empty() ? absl::OkStatus() : InvalidFieldsError(list_);
  }

 private:
  std::vector<FieldViolation> list_;
};

void CheckRequestId(const std::string& id, Violations& violations) {
  violations.CheckText("request_id", id, kMaxRequestIdBytes);
  if (!id.empty() && !IsPlainName(id)) {
    violations.Add("request_id",
                   "request_id has characters other than [A-Za-z0-9._-]");
  }
}

void CheckSide(const std::string& field, uint32_t pixels,
               const v1::ModelLimits& limits, Violations& violations) {
  violations.CheckRange(field, pixels, limits.min_side(), limits.max_side());
  if (limits.size_multiple() > 0 && pixels % limits.size_multiple() != 0) {
    violations.Add(field,
                   absl::StrCat(field, " ", pixels, " is not a multiple of ",
                                limits.size_multiple()));
  }
}

std::string SamplerName(int sampler) {
  return GenerateRequest::Sampler_IsValid(sampler)
             ? GenerateRequest::Sampler_Name(
                   static_cast<GenerateRequest::Sampler>(sampler))
             : absl::StrCat(sampler);
}

void ResolveSampler(const v1::Model& model, GenerateRequest& request,
                    Violations& violations) {
  if (request.sampler() == GenerateRequest::SAMPLER_UNSPECIFIED &&
      model.samplers_size() > 0) {
    request.set_sampler(model.samplers(0));
  }
  std::vector<std::string> known;
  bool usable = false;
  for (const int sampler : model.samplers()) {
    known.push_back(SamplerName(sampler));
    usable = usable || sampler == request.sampler();
  }
  if (!usable) {
    violations.Add("sampler",
                   absl::StrCat("sampler ", SamplerName(request.sampler()),
                                " is not one of the model's: ",
                                absl::StrJoin(known, ", ")));
  }
  violations.CheckRange("eta", request.eta(), 0.0, 1.0);
  if (request.eta() > 0 && request.sampler() != GenerateRequest::SAMPLER_DDIM) {
    violations.Add("eta", absl::StrCat("eta ", request.eta(),
                                       " needs sampler SAMPLER_DDIM, not ",
                                       SamplerName(request.sampler())));
  }
}

void CheckFormat(const std::string& field, int format, Violations& violations) {
  if (v1::ImageFormat_IsValid(format)) return;
  violations.Add(field, absl::StrCat(field, " ", format, " is not a format"));
}

void CheckPreview(const v1::PreviewPlan& preview, uint32_t steps,
                  Violations& violations) {
  if (preview.steps_size() > static_cast<int>(kMaxPreviewSteps)) {
    violations.Add("preview.steps",
                   absl::StrCat("preview.steps has ", preview.steps_size(),
                                " entries, the limit is ", kMaxPreviewSteps));
    return;
  }
  for (int i = 0; i < preview.steps_size(); ++i) {
    violations.CheckRange(absl::StrCat("preview.steps[", i, "]"),
                          preview.steps(i), 1u, steps);
  }
  if (!v1::PreviewPlan::Decoder_IsValid(preview.decoder())) {
    violations.Add(
        "preview.decoder",
        absl::StrCat("preview.decoder ", static_cast<int>(preview.decoder()),
                     " is not a decoder"));
  }
  if (preview.longest_side() > 0) {
    violations.CheckRange("preview.longest_side", preview.longest_side(),
                          kMinPreviewSide, kMaxPreviewSide);
  }
  CheckFormat("preview.format", preview.format(), violations);
  violations.CheckRange("preview.quality", preview.quality(), 1u, 100u);
}

void FillDefaults(const v1::Model& model, uint64_t drawn_seed,
                  GenerateRequest& request) {
  request.set_model(model.id());
  if (!request.has_seed()) request.set_seed(drawn_seed);
  if (!request.has_image_count()) request.set_image_count(1);
  if (!request.has_width()) request.set_width(model.default_width());
  if (!request.has_height()) request.set_height(model.default_height());
  if (!request.has_steps()) {
    request.set_steps(std::min(kDefaultSteps, model.limits().max_steps()));
  }
  if (!request.has_guidance_scale()) {
    request.set_guidance_scale(kDefaultGuidanceScale);
  }
  v1::PreviewPlan& preview = *request.mutable_preview();
  if (!preview.has_quality()) preview.set_quality(kDefaultPreviewQuality);
  v1::OutputOptions& output = *request.mutable_output();
  if (!output.has_quality()) output.set_quality(kDefaultQuality);
  if (!output.has_embed_parameters()) output.set_embed_parameters(true);
}

template <typename Enum>
void CheckEnum(const std::string& field, Enum value, bool valid,
               Violations& violations) {
  if (valid) return;
  violations.Add(field, absl::StrCat(field, " ", static_cast<int>(value),
                                     " is not one of its values"));
}

}  // namespace

bool IsPlainName(const std::string& name) {
  return !name.empty() && std::all_of(name.begin(), name.end(), [](char c) {
    return absl::ascii_isalnum(c) || c == '.' || c == '_' || c == '-';
  });
}

absl::StatusOr<GenerateRequest> ResolveRequest(const GenerateRequest& request,
                                               const v1::Model& model,
                                               const RequestLimits& limits,
                                               uint64_t drawn_seed) {
  GenerateRequest resolved = request;
  FillDefaults(model, drawn_seed, resolved);
  Violations violations;
  const v1::ModelLimits& model_limits = model.limits();
  CheckRequestId(resolved.request_id(), violations);
  violations.CheckText("prompt", resolved.prompt(), limits.max_prompt_bytes);
  violations.CheckText("negative_prompt", resolved.negative_prompt(),
                       limits.max_prompt_bytes);
  violations.CheckRange("image_count", resolved.image_count(), 1u,
                        model_limits.max_image_count());
  CheckSide("width", resolved.width(), model_limits, violations);
  CheckSide("height", resolved.height(), model_limits, violations);
  violations.CheckRange("steps", resolved.steps(), 1u,
                        model_limits.max_steps());
  violations.CheckRange("guidance_scale", resolved.guidance_scale(), 0.0,
                        kMaxGuidanceScale);
  violations.CheckRange("guidance_rescale", resolved.guidance_rescale(), 0.0,
                        1.0);
  violations.CheckRange("clip_skip", resolved.clip_skip(), 0u,
                        model_limits.max_clip_skip());
  ResolveSampler(model, resolved, violations);
  CheckEnum("priority", resolved.priority(),
            GenerateRequest::Priority_IsValid(resolved.priority()), violations);
  CheckEnum("mode", resolved.mode(),
            GenerateRequest::Mode_IsValid(resolved.mode()), violations);
  CheckPreview(resolved.preview(), resolved.steps(), violations);
  if (resolved.preview().decoder() == v1::PreviewPlan::DECODER_TINY &&
      !model.has_tiny_decoder()) {
    violations.Add("preview.decoder",
                   absl::StrCat("preview.decoder DECODER_TINY: model \"",
                                model.id(), "\" has no tiny decoder"));
  }
  CheckFormat("output.format", resolved.output().format(), violations);
  violations.CheckRange("output.quality", resolved.output().quality(), 1u,
                        100u);
  const absl::Status status = violations.status();
  if (!status.ok()) return status;
  return resolved;
}

absl::Status CheckModelState(const v1::Model& model) {
  switch (model.state()) {
    case v1::Model::STATE_LOADING:
      return RetryLaterError(
          "MODEL_LOADING",
          absl::StrCat("model \"", model.id(), "\" is still loading"),
          kModelLoadingRetry);
    case v1::Model::STATE_UNLOADED:  // the job loads it
      return absl::OkStatus();
    case v1::Model::STATE_FAILED:
      return ErrorWithReason(
          absl::StatusCode::kFailedPrecondition, "MODEL_FAILED",
          absl::StrCat("model \"", model.id(),
                       "\" could not be loaded: ", model.error()));
    default:
      return absl::OkStatus();
  }
}

}  // namespace genzo
