#include "server/resolve/upscaling.h"

#include <algorithm>
#include <optional>
#include <tuple>

#include "absl/strings/str_cat.h"
#include "base/errors.h"
#include "base/hires_defaults.h"
#include "base/pictures/picture_probe.h"
#include "base/request_rules.h"
#include "base/shortest_digits.h"
#include "server/resolve/pictures.h"
#include "server/resolve/request_resolver.h"
#include "server/resolve/violations.h"

namespace genzo {
namespace {

using v1::HiresPass;

constexpr uint32_t kDefaultQuality = 90;

// The upscaler of that name at `field`; nullopt, and a violation, if there is
// none.
std::optional<v1::Upscaler> Named(const std::string& field,
                                  const std::string& name,
                                  const UpscalerCatalog& upscalers,
                                  Violations& violations) {
  const auto entry = upscalers.Get(name);
  if (entry.ok()) return entry->upscaler;
  violations.Add(field, absl::StrCat(field, " ", entry.status().message()));
  return std::nullopt;
}

void ResolveHiresSize(const v1::Model& model, v1::GenerateRequest& request,
                      Violations& violations) {
  HiresPass& hires = *request.mutable_hires();
  const v1::ModelLimits& limits = model.limits();
  if (hires.has_width() != hires.has_height()) {
    return violations.Add("hires.width",
                          "hires.width and hires.height go together");
  }
  if (hires.has_width() && hires.has_factor()) {
    return violations.Add("hires.factor",
                          "hires.factor does not go with hires.width");
  }
  if (!hires.has_width()) {
    if (!hires.has_factor()) hires.set_factor(kDefaultHiresFactor);
    const double factor = hires.factor();
    if (!(factor > 1 && factor <= kMaxHiresFactor)) {
      return violations.Add(
          "hires.factor",
          absl::StrCat("hires.factor ", ShortestDigits(factor),
                       " is not over 1 and up to ", kMaxHiresFactor));
    }
    const uint32_t multiple = std::max(1u, limits.size_multiple());
    const auto times = [&](uint32_t side) {
      return static_cast<uint32_t>(side * factor) / multiple * multiple;
    };
    hires.set_width(times(request.width()));
    hires.set_height(times(request.height()));
  }
  for (const auto& [field, side, first] :
       {std::tuple("hires.width", hires.width(), request.width()),
        std::tuple("hires.height", hires.height(), request.height())}) {
    violations.CheckRange(field, side, first, limits.max_side());
    if (limits.size_multiple() == 0 || side % limits.size_multiple() == 0) {
      continue;
    }
    violations.Add(field,
                   absl::StrCat(field, " ", side, " is not a multiple of ",
                                limits.size_multiple()));
  }
  const uint64_t pixels = uint64_t{hires.width()} * hires.height();
  if (limits.max_pixels() > 0 && pixels > limits.max_pixels()) {
    violations.Add("hires.width",
                   absl::StrCat("hires.width times hires.height is ", pixels,
                                ", the limit is ", limits.max_pixels()));
  }
  hires.clear_factor();  // the size stands for it
}

void ResolveHiresWalk(const v1::Model& model, v1::GenerateRequest& request,
                      Violations& violations) {
  HiresPass& hires = *request.mutable_hires();
  if (!hires.has_steps()) hires.set_steps(request.steps());
  if (!hires.has_strength()) hires.set_strength(kDefaultHiresStrength);
  violations.CheckRange("hires.steps", hires.steps(), 1u,
                        model.limits().max_steps());
  const double strength = hires.strength();
  if (!(strength > 0 && strength <= 1)) {
    violations.Add("hires.strength",
                   absl::StrCat("hires.strength ", ShortestDigits(strength),
                                " is not over 0 and up to 1"));
  } else if (StepsWalked(hires.steps(), strength, StepRoundingOf(model)) == 0) {
    violations.Add("hires.strength",
                   absl::StrCat("hires.strength ", ShortestDigits(strength),
                                " leaves none of ", hires.steps(), " steps"));
  }
  if (hires.sampler() == v1::SAMPLER_UNSPECIFIED) {
    hires.set_sampler(request.sampler());
    if (hires.schedule() == v1::NOISE_SCHEDULE_UNSPECIFIED) {
      hires.set_schedule(request.schedule());
    }
  }
  for (const v1::SamplerSupport& row : model.samplers()) {
    if (row.sampler() != hires.sampler()) continue;
    if (hires.steps() > 0 && hires.steps() < row.min_steps()) {
      violations.Add(
          "hires.steps",
          absl::StrCat("hires.steps ", hires.steps(), " is below ",
                       row.min_steps(), ", the fewest of sampler ",
                       NameOf(*v1::Sampler_descriptor(), hires.sampler())));
    }
    const auto& known = row.schedules();
    if (hires.schedule() != v1::NOISE_SCHEDULE_UNSPECIFIED &&
        std::find(known.begin(), known.end(), hires.schedule()) ==
            known.end()) {
      violations.Add(
          "hires.schedule",
          absl::StrCat(
              "hires.schedule ",
              NameOf(*v1::NoiseSchedule_descriptor(), hires.schedule()),
              " does not go with sampler ",
              NameOf(*v1::Sampler_descriptor(), hires.sampler())));
    }
    return;
  }
  violations.Add("hires.sampler", absl::StrCat("hires.sampler ",
                                               NameOf(*v1::Sampler_descriptor(),
                                                      hires.sampler()),
                                               " is not one of the model's"));
}

void ResolveHiresUpscale(const UpscalerCatalog& upscalers, HiresPass& hires,
                         PixelSize from, Violations& violations) {
  violations.CheckEnum("hires.upscale", hires.upscale(),
                       *HiresPass::Upscale_descriptor());
  if (hires.upscale() == HiresPass::UPSCALE_UNSPECIFIED) {
    hires.set_upscale(hires.upscaler().empty() ? HiresPass::UPSCALE_LATENT
                                               : HiresPass::UPSCALE_NETWORK);
  }
  const bool by_network = hires.upscale() == HiresPass::UPSCALE_NETWORK;
  if (by_network == hires.upscaler().empty()) {
    return violations.Add("hires.upscaler",
                          by_network
                              ? "hires.upscaler is missing: UPSCALE_NETWORK "
                                "needs one"
                              : "hires.upscaler goes with UPSCALE_NETWORK "
                                "alone");
  }
  if (!by_network) return;
  const auto named =
      Named("hires.upscaler", hires.upscaler(), upscalers, violations);
  if (!named.has_value()) return;
  v1::UpscaleRequest enlarging;
  enlarging.set_width(hires.width());
  enlarging.set_height(hires.height());
  const auto plan = PlanUpscale(enlarging, *named, from);
  if (plan.ok()) return;
  violations.Add("hires.upscaler",
                 absl::StrCat("hires.upscaler: ", plan.status().message()));
}

}  // namespace

absl::StatusOr<PixelSize> ResolveEnlarging(const v1::Model& model,
                                           const UpscalerCatalog& upscalers,
                                           v1::GenerateRequest& request) {
  Violations violations;
  if (request.has_hires()) {
    violations.CheckTaken("hires", model);
    if (request.has_image_to_image()) {
      violations.Add("hires",
                     "hires begins at text alone, not at image_to_image");
    }
    ResolveHiresSize(model, request, violations);
    ResolveHiresWalk(model, request, violations);
    ResolveHiresUpscale(upscalers, *request.mutable_hires(),
                        {request.width(), request.height()}, violations);
  }
  PixelSize result = PaintedSize(request);
  const std::string& name = request.output().upscaler();
  if (!name.empty() &&
      (request.has_inpainting() || request.has_outpainting())) {
    violations.Add("output.upscaler",
                   "output.upscaler does not go with inpainting, whose result "
                   "has the size of its picture");
  } else if (!name.empty()) {
    const auto named = Named("output.upscaler", name, upscalers, violations);
    const auto plan =
        named.has_value() ? PlanUpscale({}, *named, result) : UpscalePlan();
    if (!plan.ok()) {
      violations.Add("output.upscaler", absl::StrCat("output.upscaler: ",
                                                     plan.status().message()));
    } else {
      result = plan->result;
    }
  }
  if (!violations.status().ok()) return violations.status();
  return result;
}

absl::StatusOr<ResolvedUpscaling> ResolveUpscaling(
    const v1::UpscaleRequest& request, const UpscalerCatalog& upscalers,
    const RequestLimits& limits) {
  ResolvedUpscaling resolved = {.request = request, .result = {}};
  v1::UpscaleRequest& filled = resolved.request;
  Violations violations;
  violations.ResolvePicture("picture",
                            static_cast<size_t>(limits.max_image_bytes),
                            *filled.mutable_picture());
  const auto upscaler =
      Named("upscaler", filled.upscaler(), upscalers, violations);
  if (filled.has_width() != filled.has_height()) {
    violations.Add("width", "width and height go together");
  } else if (filled.has_width() && filled.has_factor()) {
    violations.Add("factor", "factor does not go with width and height");
  }
  if (filled.has_width()) {
    const auto most = static_cast<uint32_t>(kMaxUpscaledSide);
    violations.CheckRange("width", filled.width(), 1u, most);
    violations.CheckRange("height", filled.height(), 1u, most);
  }
  if (filled.has_factor() &&
      !(filled.factor() > 0 && filled.factor() <= kMaxUpscaleFactor)) {
    violations.Add(
        "factor", absl::StrCat("factor ", ShortestDigits(filled.factor()),
                               " is not over 0 and up to ", kMaxUpscaleFactor));
  }
  v1::OutputOptions& output = *filled.mutable_output();
  if (!output.has_quality()) output.set_quality(kDefaultQuality);
  violations.CheckEnum("output.format", output.format(),
                       *v1::ImageFormat_descriptor());
  violations.CheckRange("output.quality", output.quality(), 1u, 100u);
  if (!output.upscaler().empty()) {
    violations.Add("output.upscaler",
                   "output.upscaler is for Generate; here it is `upscaler`");
  }
  if (output.tiny_decoder()) {
    violations.Add("output.tiny_decoder",
                   "output.tiny_decoder is for Generate; nothing is decoded");
  }
  if (!output.has_embed_parameters()) output.set_embed_parameters(true);
  ResolveMarks(limits.pictures.provenance, output, violations);
  violations.CheckEnum("priority", filled.priority(),
                       *v1::Priority_descriptor());
  v1::GenerateRequest life;
  if (filled.has_time_limit()) *life.mutable_time_limit() = filled.time_limit();
  CheckLife(life, violations);
  if (!violations.status().ok()) return violations.status();
  filled.set_upscaler(upscaler->name());
  const auto header = ProbePicture(filled.picture().data());  // was sound above
  const auto plan = PlanUpscale(
      filled, *upscaler, {header->shown_width(), header->shown_height()});
  if (!plan.ok()) return plan.status();
  resolved.result = plan->result;
  return resolved;
}

}  // namespace genzo
