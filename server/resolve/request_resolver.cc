#include "server/resolve/request_resolver.h"

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "base/errors.h"
#include "base/hires_defaults.h"
#include "base/proto_time.h"
#include "base/request_rules.h"
#include "google/protobuf/util/time_util.h"
#include "server/resolve/controls.h"
#include "server/resolve/guidance.h"
#include "server/resolve/inpainting.h"
#include "server/resolve/loras.h"
#include "server/resolve/model_fields.h"
#include "server/resolve/pictures.h"
#include "server/resolve/sampler.h"
#include "server/resolve/start.h"
#include "server/resolve/variation.h"

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
constexpr absl::Duration kMaxTimeLimit = absl::Hours(24);
constexpr absl::Duration kModelLoadingRetry = absl::Seconds(2);

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

void CheckSize(const GenerateRequest& request, const v1::ModelLimits& limits,
               Violations& violations) {
  CheckSide("width", request.width(), limits, violations);
  CheckSide("height", request.height(), limits, violations);
  const uint64_t pixels = uint64_t{request.width()} * request.height();
  if (limits.max_pixels() == 0 || pixels <= limits.max_pixels()) return;
  violations.Add("width",
                 absl::StrCat("the picture has ", pixels,
                              " pixels, the limit is ", limits.max_pixels()));
}

void CheckTiny(const char* field, const char* value, const v1::Model& model,
               Violations& violations) {
  const auto& decoders = model.preview_decoders();
  if (std::find(decoders.begin(), decoders.end(), v1::PREVIEW_DECODER_TINY) !=
      decoders.end()) {
    return;
  }
  violations.Add(field, absl::StrCat(value, ": model \"", model.id(),
                                     "\" has no tiny decoder"));
}

// How many steps previews may come after: those of both passes. What `hires`
// does not say is what ResolveEnlarging, which comes later, fills in.
uint32_t StepsWithPreviews(const GenerateRequest& request,
                           const v1::Model& model) {
  if (!request.has_hires()) return request.steps();
  GenerateRequest walk;  // without the request's pictures
  v1::HiresPass& hires = *walk.mutable_hires();
  hires = request.hires();
  if (!hires.has_steps()) hires.set_steps(request.steps());
  hires.set_strength(StrengthOf(hires));
  return request.steps() +
         static_cast<uint32_t>(StepsOfSecondPass(walk, StepRoundingOf(model)));
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
  violations.CheckEnum("preview.decoder", preview.decoder(),
                       *v1::PreviewDecoder_descriptor());
  if (preview.decoder() == v1::PREVIEW_DECODER_TINY) {
    CheckTiny("preview.decoder", "preview.decoder PREVIEW_DECODER_TINY", model,
              violations);
  }
  if (preview.longest_side() > 0) {
    violations.CheckRange("preview.longest_side", preview.longest_side(),
                          kMinPreviewSide, kMaxPreviewSide);
  }
  violations.CheckEnum("preview.format", preview.format(),
                       *v1::ImageFormat_descriptor());
  violations.CheckRange("preview.quality", preview.quality(), 1u, 100u);
}

}  // namespace

void CheckLife(const GenerateRequest& request, Violations& violations) {
  violations.CheckEnum("on_disconnect", request.on_disconnect(),
                       *v1::OnDisconnect_descriptor());
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
                     limit.nanos() >= 0 && limit.nanos() < 1'000'000'000;
  const absl::Duration time =
      valid ? absl::Seconds(limit.seconds()) + absl::Nanoseconds(limit.nanos())
            : absl::ZeroDuration();
  if (time > absl::ZeroDuration() && time <= kMaxTimeLimit) return;
  violations.Add("time_limit",
                 absl::StrCat("time_limit ", limit.seconds(), " s ",
                              limit.nanos(), " ns is not over 0 and up to ",
                              absl::ToInt64Seconds(kMaxTimeLimit), " s"));
}

namespace {

void FillDefaults(const v1::Model& model, uint64_t drawn_seed,
                  GenerateRequest& request) {
  request.set_request_id(absl::AsciiStrToLower(request.request_id()));
  request.set_model(model.id());
  if (!request.has_seed()) request.set_seed(drawn_seed);
  if (!request.has_image_count()) request.set_image_count(1);
  FillSizeOfPart(model, request);
  FillSizeOfStart(model, request);
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
  if (output.format() == v1::IMAGE_FORMAT_UNSPECIFIED) {
    output.set_format(v1::IMAGE_FORMAT_PNG);
  }
  if (!output.has_quality()) output.set_quality(kDefaultQuality);
  if (!output.has_embed_parameters()) output.set_embed_parameters(true);
}

}  // namespace

absl::StatusOr<GenerateRequest> ResolveRequest(const GenerateRequest& request,
                                               const v1::Model& model,
                                               const RequestLimits& limits,
                                               uint64_t drawn_seed,
                                               const LoraCatalog* loras) {
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
  ResolveStart(model, limits, resolved, violations);
  ResolveInpainting(model, limits, resolved, violations);
  ResolveModelFields(model, limits, resolved, violations);
  CheckPromptSyntax(resolved, model, violations);
  CheckGuidance(resolved, model, violations);
  ResolveVariation(model, drawn_seed, resolved, violations);
  ResolveLoras(model, loras, resolved, violations);
  ResolveControls(model, limits, resolved, violations);
  ResolvePictures(model, limits.pictures, resolved, violations);
  violations.CheckEnum("priority", resolved.priority(),
                       *v1::Priority_descriptor());
  violations.CheckEnum("reproducibility", resolved.reproducibility(),
                       *v1::Reproducibility_descriptor());
  CheckLife(resolved, violations);
  CheckPreview(resolved.preview(), model, StepsWithPreviews(resolved, model),
               violations);
  violations.CheckEnum("output.format", resolved.output().format(),
                       *v1::ImageFormat_descriptor());
  violations.CheckRange("output.quality", resolved.output().quality(), 1u,
                        100u);
  if (resolved.output().tiny_decoder()) {
    CheckTiny("output.tiny_decoder", "output.tiny_decoder true", model,
              violations);
  }
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
