#include "server/request_resolver.h"

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/errors.h"
#include "base/proto_time.h"
#include "base/request_rules.h"
#include "base/sha256.h"
#include "base/shortest_digits.h"
#include "google/protobuf/util/time_util.h"

namespace genzo {
namespace {

using v1::GenerateRequest;

constexpr uint32_t kDefaultSteps = 25;
constexpr double kDefaultGuidanceScale = 7.5;
constexpr uint32_t kDefaultQuality = 90;
constexpr uint32_t kDefaultPreviewQuality = 80;
constexpr uint32_t kMinPreviewSide = 16;
constexpr uint32_t kMaxPreviewSide = 2048;
constexpr uint32_t kMaxPreviewSteps = 1000;
constexpr double kDefaultStrength = 0.8;
constexpr uint32_t kMaxToldPixels = 16384;
constexpr double kMaxAestheticScore = 10;
constexpr char kStrength[] = "image_to_image.strength";
constexpr char kImageGuidance[] = "image_guidance_scale";
constexpr absl::Duration kMaxTimeLimit = absl::Hours(24);
constexpr absl::Duration kModelLoadingRetry = absl::Seconds(2);

// Digits that tell the value apart from its limit.
std::string Digits(double value) { return ShortestDigits(value); }
template <typename T>
T Digits(T value) {
  return value;
}

// Collects faults, field by field.
class Violations {
 public:
  void Add(const std::string& field, const std::string& description) {
    list_.push_back({field, description});
  }

  template <typename T>
  void CheckRange(const std::string& field, T value, T min, T max) {
    if (value >= min && value <= max) return;  // false for NaN
    Add(field, absl::StrCat(field, " ", Digits(value), " is not between ",
                            Digits(min), " and ", Digits(max)));
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
  if (id.empty() || IsUuid(id)) return;
  violations.Add("request_id",
                 "request_id is not a UUID such as "
                 "123e4567-e89b-42d3-a456-426614174000");
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

// The value's name, or its number.
std::string NameOf(const google::protobuf::EnumDescriptor& type, int value) {
  const auto* known = type.FindValueByNumber(value);
  return known == nullptr ? absl::StrCat(value) : known->name();
}

std::string SamplerName(int sampler) {
  return NameOf(*v1::Sampler_descriptor(), sampler);
}

// The model's row for the sampler; null if it has none.
const v1::SamplerSupport* FindSampler(const v1::Model& model, int sampler) {
  const auto& all = model.samplers();
  const auto found = std::find_if(
      all.begin(), all.end(),
      [&](const v1::SamplerSupport& row) { return row.sampler() == sampler; });
  return found == all.end() ? nullptr : &*found;
}

void CheckSchedule(const v1::SamplerSupport& support, int schedule,
                   Violations& violations) {
  if (schedule == v1::NOISE_SCHEDULE_UNSPECIFIED) return;
  std::vector<std::string> known;
  for (const int other : support.schedules()) {
    if (other == schedule) return;
    known.push_back(NameOf(*v1::NoiseSchedule_descriptor(), other));
  }
  violations.Add(
      "schedule",
      absl::StrCat("schedule ",
                   NameOf(*v1::NoiseSchedule_descriptor(), schedule),
                   " does not go with sampler ", SamplerName(support.sampler()),
                   "; besides the model's own it takes: ",
                   known.empty() ? "none" : absl::StrJoin(known, ", ")));
}

void ResolveSampler(const v1::Model& model, GenerateRequest& request,
                    Violations& violations) {
  if (request.sampler() == v1::SAMPLER_UNSPECIFIED) {
    request.set_sampler(model.default_sampler());
    if (request.schedule() == v1::NOISE_SCHEDULE_UNSPECIFIED &&
        request.sigmas().empty() && request.timesteps().empty()) {
      request.set_schedule(model.default_schedule());
    }
  }
  const v1::SamplerSupport* support = FindSampler(model, request.sampler());
  if (support != nullptr) {
    CheckSchedule(*support, request.schedule(), violations);
  } else {
    std::vector<std::string> known;
    for (const v1::SamplerSupport& row : model.samplers()) {
      known.push_back(SamplerName(row.sampler()));
    }
    violations.Add("sampler",
                   absl::StrCat("sampler ", SamplerName(request.sampler()),
                                " is not one of the model's: ",
                                absl::StrJoin(known, ", ")));
  }
  if (!request.has_eta()) return;
  violations.CheckRange("eta", request.eta(), 0.0, 1.0);
  if (request.eta() > 0 && request.sampler() != v1::SAMPLER_DDIM &&
      request.sampler() != v1::SAMPLER_TCD) {
    violations.Add(
        "eta", absl::StrCat("eta ", Digits(request.eta()),
                            " needs sampler SAMPLER_DDIM or SAMPLER_TCD, not ",
                            SamplerName(request.sampler())));
  }
}

void CheckEnum(const std::string& field, int value,
               const google::protobuf::EnumDescriptor& type,
               Violations& violations) {
  if (type.FindValueByNumber(value) != nullptr) return;
  violations.Add(field,
                 absl::StrCat(field, " ", value, " is not one of its values"));
}

// Levels of one's own: one for each step, falling. What they may be more
// closely, the sampler says.
template <typename Values>
void CheckLevels(const std::string& field, const Values& values,
                 const GenerateRequest& request, Violations& violations) {
  if (values.empty()) return;
  const auto count = static_cast<uint32_t>(values.size());
  if (count != request.steps()) {
    violations.Add(field, absl::StrCat(field, " has ", count,
                                       " entries, not one for each of ",
                                       request.steps(), " steps"));
    return;
  }
  if (request.schedule() != v1::NOISE_SCHEDULE_UNSPECIFIED) {
    violations.Add(field, absl::StrCat(field, " does not go with schedule"));
  }
  for (int i = 0; i < values.size(); ++i) {
    const bool falls = i == 0 || values[i] < values[i - 1];
    if (falls && values[i] >= 0) continue;  // false for NaN
    violations.Add(field, absl::StrCat(field, "[", i, "] ", Digits(values[i]),
                                       " is not below the one before it and at "
                                       "least 0"));
    return;
  }
}

void CheckWalk(const GenerateRequest& request, Violations& violations) {
  if (!request.sigmas().empty() && !request.timesteps().empty()) {
    violations.Add("timesteps", "timesteps does not go with sigmas");
  }
  CheckLevels("sigmas", request.sigmas(), request, violations);
  CheckLevels("timesteps", request.timesteps(), request, violations);
  CheckEnum("noise_generator", request.noise_generator(),
            *v1::NoiseGenerator_descriptor(), violations);
  if (!request.has_churn()) return;
  constexpr double kMaxChurn = 1000;
  constexpr double kMaxSigma = 1e9;
  const v1::Churn& churn = request.churn();
  violations.CheckRange("churn.amount", churn.amount(), 0.0, kMaxChurn);
  violations.CheckRange("churn.min_sigma", churn.min_sigma(), 0.0, kMaxSigma);
  if (churn.has_max_sigma()) {
    violations.CheckRange("churn.max_sigma", churn.max_sigma(),
                          churn.min_sigma(), kMaxSigma);
  }
  violations.CheckRange("churn.noise", churn.noise(), 0.0, 2.0);
  if (request.sampler() != v1::SAMPLER_EULER &&
      request.sampler() != v1::SAMPLER_EDM_HEUN) {
    violations.Add("churn", absl::StrCat("churn needs sampler SAMPLER_EULER or "
                                         "SAMPLER_EDM_HEUN, not ",
                                         SamplerName(request.sampler())));
  }
}

void CheckSize(const GenerateRequest& request, const v1::ModelLimits& limits,
               Violations& violations) {
  CheckSide("width", request.width(), limits, violations);
  CheckSide("height", request.height(), limits, violations);
  const uint64_t pixels = uint64_t{request.width()} * request.height();
  if (limits.max_pixels() == 0 || pixels <= limits.max_pixels()) return;
  violations.Add("width", absl::StrCat("width times height is ", pixels,
                                       ", the limit is ", limits.max_pixels()));
}

void CheckPreview(const v1::PreviewPlan& preview, const v1::Model& model,
                  uint32_t steps, Violations& violations) {
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
  CheckEnum("preview.decoder", preview.decoder(),
            *v1::PreviewDecoder_descriptor(), violations);
  const auto& decoders = model.preview_decoders();
  if (preview.decoder() == v1::PREVIEW_DECODER_TINY &&
      std::find(decoders.begin(), decoders.end(), v1::PREVIEW_DECODER_TINY) ==
          decoders.end()) {
    violations.Add(
        "preview.decoder",
        absl::StrCat("preview.decoder PREVIEW_DECODER_TINY: model \"",
                     model.id(), "\" has no tiny decoder"));
  }
  if (preview.longest_side() > 0) {
    violations.CheckRange("preview.longest_side", preview.longest_side(),
                          kMinPreviewSide, kMaxPreviewSide);
  }
  CheckEnum("preview.format", preview.format(), *v1::ImageFormat_descriptor(),
            violations);
  violations.CheckRange("preview.quality", preview.quality(), 1u, 100u);
}

void CheckTask(v1::Task task, const std::string& field, const v1::Model& model,
               Violations& violations) {
  const auto& tasks = model.tasks();
  // A model that was never loaded has not told its tasks yet.
  if (tasks.empty() ||
      std::find(tasks.begin(), tasks.end(), task) != tasks.end()) {
    return;
  }
  violations.Add(
      field, absl::StrCat(field, ": model \"", model.id(), "\" does not offer ",
                          NameOf(*v1::Task_descriptor(), task)));
}

bool Takes(const v1::Model& model, const std::string& field) {
  // A model that was never loaded has told neither tasks nor fields yet.
  const auto& known = model.request_fields();
  return model.tasks().empty() ||
         std::find(known.begin(), known.end(), field) != known.end();
}

// Fields that only some models take, where they are set.
void CheckModelFields(const GenerateRequest& request, const v1::Model& model,
                      Violations& violations) {
  const v1::Refiner& refiner = request.refiner();
  const std::pair<const char*, bool> fields[] = {
      {"prompt_2", !request.prompt_2().empty()},
      {"negative_prompt_2", !request.negative_prompt_2().empty()},
      {"prompt_3", !request.prompt_3().empty()},
      {"negative_prompt_3", !request.negative_prompt_3().empty()},
      {"class_label", request.has_class_label()},
      {"true_guidance_scale", request.has_true_guidance_scale()},
      {"max_sequence_length", request.has_max_sequence_length()},
      {"size_conditioning", request.has_size_conditioning()},
      {"image_guidance_scale", request.has_image_guidance_scale()},
      {"refiner.switch_at", refiner.has_switch_at()},
      {"refiner.aesthetic_score", refiner.has_aesthetic_score()},
      {"refiner.negative_aesthetic_score",
       refiner.has_negative_aesthetic_score()}};
  for (const auto& [field, is_set] : fields) {
    if (!is_set || Takes(model, field)) continue;
    violations.Add(field,
                   absl::StrCat(field, ": model \"", model.id(),
                                "\" does not take it; of such fields "
                                "it takes: ",
                                absl::StrJoin(model.request_fields(), ", ")));
  }
}

void CheckSizes(const std::string& field,
                const v1::SizeConditioning::Sizes& sizes,
                Violations& violations) {
  const std::pair<const char*, uint32_t> numbers[] = {
      {"original_width", sizes.original_width()},
      {"original_height", sizes.original_height()},
      {"crop_left", sizes.crop_left()},
      {"crop_top", sizes.crop_top()},
      {"target_width", sizes.target_width()},
      {"target_height", sizes.target_height()}};
  for (const auto& [name, value] : numbers) {
    violations.CheckRange(absl::StrCat("size_conditioning.", field, ".", name),
                          value, 0u, kMaxToldPixels);
  }
}

void ResolveRefiner(const v1::Model& model, GenerateRequest& request,
                    Violations& violations) {
  if (!request.has_refiner()) return;
  v1::Refiner& refiner = *request.mutable_refiner();
  if (!Takes(model, "refiner.aesthetic_score")) {
    return violations.Add("refiner",
                          absl::StrCat("refiner: model \"", model.id(),
                                       "\" is none and has none"));
  }
  if (!refiner.has_switch_at() && Takes(model, "refiner.switch_at")) {
    refiner.set_switch_at(kDefaultSwitchAt);
  }
  if (!refiner.has_aesthetic_score()) {
    refiner.set_aesthetic_score(kDefaultAestheticScore);
  }
  if (!refiner.has_negative_aesthetic_score()) {
    refiner.set_negative_aesthetic_score(kDefaultNegativeAestheticScore);
  }
  violations.CheckRange("refiner.switch_at", refiner.switch_at(), 0.0, 1.0);
  violations.CheckRange("refiner.aesthetic_score", refiner.aesthetic_score(),
                        0.0, kMaxAestheticScore);
  violations.CheckRange("refiner.negative_aesthetic_score",
                        refiner.negative_aesthetic_score(), 0.0,
                        kMaxAestheticScore);
}

void ResolveModelFields(const v1::Model& model, const RequestLimits& limits,
                        GenerateRequest& request, Violations& violations) {
  CheckModelFields(request, model, violations);
  violations.CheckText("prompt_2", request.prompt_2(), limits.max_prompt_bytes);
  violations.CheckText("negative_prompt_2", request.negative_prompt_2(),
                       limits.max_prompt_bytes);
  violations.CheckText("prompt_3", request.prompt_3(), limits.max_prompt_bytes);
  violations.CheckText("negative_prompt_3", request.negative_prompt_3(),
                       limits.max_prompt_bytes);
  violations.CheckRange("true_guidance_scale", request.true_guidance_scale(),
                        0.0, kMaxGuidanceScale);
  if (request.has_max_sequence_length()) {
    violations.CheckRange("max_sequence_length", request.max_sequence_length(),
                          1u, kMaxSequenceLength);
  }
  CheckSizes("prompt", request.size_conditioning().prompt(), violations);
  CheckSizes("negative", request.size_conditioning().negative(), violations);
  ResolveRefiner(model, request, violations);
  if (!request.has_image_guidance_scale()) {
    if (model.tasks().empty() || !Takes(model, kImageGuidance)) return;
    request.set_image_guidance_scale(kDefaultImageGuidanceScale);
  }
  violations.CheckRange(kImageGuidance, request.image_guidance_scale(), 1.0,
                        kMaxGuidanceScale);
}

void ResolveStart(const v1::Model& model, const RequestLimits& limits,
                  GenerateRequest& request, Violations& violations) {
  if (!request.has_image_to_image()) {
    return CheckTask(v1::TASK_TEXT_TO_IMAGE, "prompt", model, violations);
  }
  CheckTask(v1::TASK_IMAGE_TO_IMAGE, "image_to_image", model, violations);
  v1::ImageToImage& start = *request.mutable_image_to_image();
  const bool follows = !Takes(model, kStrength);
  if (!start.has_strength()) {
    start.set_strength(follows ? 1 : kDefaultStrength);
  }
  if (follows && start.strength() != 1) {
    violations.Add(kStrength,
                   absl::StrCat(kStrength, " ", Digits(start.strength()),
                                " is not 1, as it always is for model \"",
                                model.id(), "\", which follows a picture"));
  }
  violations.CheckRange("image_to_image.strength", start.strength(), 0.0, 1.0);
  if (start.strength() >= 0 && start.strength() <= 1 &&
      StepsWalked(request.steps(), start.strength()) == 0) {
    violations.Add(
        "image_to_image.strength",
        absl::StrCat("image_to_image.strength ", Digits(start.strength()),
                     " leaves none of ", request.steps(), " steps"));
  }
  if (start.image().empty()) {
    return violations.Add("image_to_image.image",
                          "image_to_image.image is empty");
  }
  const auto most = static_cast<size_t>(limits.max_image_bytes);
  violations.CheckText("image_to_image.image", start.image(), most);
  if (start.image().size() > most) return;
  const std::string digest = Sha256(start.image());
  if (!start.image_sha256().empty() && start.image_sha256() != digest) {
    violations.Add("image_to_image.image_sha256",
                   "image_to_image.image_sha256 is not that of "
                   "image_to_image.image");
  }
  if (start.image_bytes() != 0 && start.image_bytes() != start.image().size()) {
    violations.Add(
        "image_to_image.image_bytes",
        absl::StrCat("image_to_image.image_bytes ", start.image_bytes(),
                     " is not the size of ", "image_to_image.image, ",
                     start.image().size()));
  }
  start.set_image_sha256(digest);
  start.set_image_bytes(start.image().size());
}

void CheckLife(const GenerateRequest& request, Violations& violations) {
  CheckEnum("on_disconnect", request.on_disconnect(),
            *v1::OnDisconnect_descriptor(), violations);
  if (request.on_disconnect() == v1::ON_DISCONNECT_CONTINUE &&
      request.request_id().empty()) {
    violations.Add("on_disconnect",
                   "on_disconnect ON_DISCONNECT_CONTINUE needs a request_id, "
                   "by which the job can be picked up");
  }
  if (!request.has_time_limit()) return;
  using google::protobuf::util::TimeUtil;
  const auto& limit = request.time_limit();
  const bool valid = limit.seconds() >= TimeUtil::kDurationMinSeconds &&
                     limit.seconds() <= TimeUtil::kDurationMaxSeconds &&
                     limit.nanos() > -1'000'000'000 &&
                     limit.nanos() < 1'000'000'000;
  const absl::Duration time =
      valid ? absl::Seconds(limit.seconds()) + absl::Nanoseconds(limit.nanos())
            : absl::ZeroDuration();
  if (time > absl::ZeroDuration() && time <= kMaxTimeLimit) return;
  violations.Add("time_limit",
                 absl::StrCat("time_limit ", limit.seconds(), " s ",
                              limit.nanos(), " ns is not over 0 and up to ",
                              absl::ToInt64Seconds(kMaxTimeLimit), " s"));
}

void FillDefaults(const v1::Model& model, uint64_t drawn_seed,
                  GenerateRequest& request) {
  request.set_request_id(absl::AsciiStrToLower(request.request_id()));
  request.set_model(model.id());
  if (!request.has_seed()) request.set_seed(drawn_seed);
  if (!request.has_image_count()) request.set_image_count(1);
  if (!request.has_width()) request.set_width(model.default_width());
  if (!request.has_height()) request.set_height(model.default_height());
  const int levels = request.sigmas_size() + request.timesteps_size();
  if (!request.has_steps() && levels > 0) {
    request.set_steps(static_cast<uint32_t>(levels));
  } else if (!request.has_steps()) {
    const uint32_t steps =
        model.has_default_steps() ? model.default_steps() : kDefaultSteps;
    request.set_steps(std::min(steps, model.limits().max_steps()));
  }
  if (!request.has_guidance_scale()) {
    request.set_guidance_scale(model.has_default_guidance_scale()
                                   ? model.default_guidance_scale()
                                   : kDefaultGuidanceScale);
  }
  if (!request.has_guidance_rescale()) request.set_guidance_rescale(0);
  if (!request.has_clip_skip()) request.set_clip_skip(0);
  v1::PreviewPlan& preview = *request.mutable_preview();
  if (!preview.has_every()) preview.set_every(0);
  if (!preview.has_longest_side()) preview.set_longest_side(0);
  if (!preview.has_quality()) preview.set_quality(kDefaultPreviewQuality);
  v1::OutputOptions& output = *request.mutable_output();
  if (!output.has_quality()) output.set_quality(kDefaultQuality);
  if (!output.has_embed_parameters()) output.set_embed_parameters(true);
}

}  // namespace

bool IsUuid(const std::string& text) {
  constexpr size_t kBytes = 36;
  if (text.size() != kBytes) return false;
  for (size_t i = 0; i < kBytes; ++i) {
    const bool hyphen = i == 8 || i == 13 || i == 18 || i == 23;
    if (hyphen ? text[i] != '-' : !absl::ascii_isxdigit(text[i])) return false;
  }
  return true;
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
  CheckSize(resolved, model_limits, violations);
  violations.CheckRange("steps", resolved.steps(), 1u,
                        model_limits.max_steps());
  violations.CheckRange("guidance_scale", resolved.guidance_scale(), 0.0,
                        kMaxGuidanceScale);
  violations.CheckRange("guidance_rescale", resolved.guidance_rescale(), 0.0,
                        1.0);
  violations.CheckRange("clip_skip", resolved.clip_skip(), 0u,
                        model_limits.max_clip_skip());
  ResolveSampler(model, resolved, violations);
  CheckWalk(resolved, violations);
  ResolveStart(model, limits, resolved, violations);
  ResolveModelFields(model, limits, resolved, violations);
  CheckEnum("priority", resolved.priority(), *v1::Priority_descriptor(),
            violations);
  CheckEnum("reproducibility", resolved.reproducibility(),
            *v1::Reproducibility_descriptor(), violations);
  CheckLife(resolved, violations);
  CheckPreview(resolved.preview(), model, resolved.steps(), violations);
  CheckEnum("output.format", resolved.output().format(),
            *v1::ImageFormat_descriptor(), violations);
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
                       "\" could not be loaded: ", model.error().message()));
    default:
      return absl::OkStatus();
  }
}

}  // namespace genzo
