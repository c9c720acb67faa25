#include "gateway/a1111_hires.h"

#include <algorithm>
#include <cstdint>
#include <string>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/errors.h"
#include "base/latent_modes.h"
#include "base/request_rules.h"
#include "base/shortest_digits.h"
#include "gateway/sampler_labels.h"

namespace genzo {

using v1::HiresPass;

namespace {

// A1111's own.
constexpr double kHiresStrength = 0.75;
constexpr char kSameModel[] = "Use same checkpoint";
constexpr char kSameSampler[] = "Use same sampler";
constexpr char kSameSchedule[] = "Use same scheduler";

// Of a model that was never loaded and has not told its limit.
constexpr int64_t kMostSteps = 1000000;

void ReadHiresSize(FieldReader& reader, HiresPass& hires) {
  const auto width = reader.Whole("hr_resize_x", 0, kMaxCount).value_or(0);
  const auto height = reader.Whole("hr_resize_y", 0, kMaxCount).value_or(0);
  const auto scale = reader.Number("hr_scale", 0, 1e6);
  if (width > 0 && height > 0) {
    hires.set_width(static_cast<uint32_t>(width));
    hires.set_height(static_cast<uint32_t>(height));
  } else if (width > 0 || height > 0) {
    reader.Fail(width > 0 ? "hr_resize_y" : "hr_resize_x",
                "is 0 where the other is not");
  } else if (scale.has_value()) {
    hires.set_factor(*scale);
  }
}

void ReadHiresUpscaler(FieldReader& reader, HiresPass& hires) {
  const std::string upscaler = reader.Text("hr_upscaler").value_or("Latent");
  for (const auto& [name, mode] : kLatentModes) {
    if (absl::EqualsIgnoreCase(upscaler, name)) return hires.set_upscale(mode);
  }
  if (upscaler == "None" || absl::EqualsIgnoreCase(upscaler, "Lanczos")) {
    return hires.set_upscale(HiresPass::UPSCALE_LANCZOS);
  }
  hires.set_upscaler(upscaler);
}

void ReadHiresSampler(FieldReader& reader, HiresPass& hires) {
  if (const auto choice =
          ReadSamplerName(reader, {"hr_sampler_name", {"", kSameSampler}})) {
    hires.set_sampler(choice->sampler);
    hires.set_schedule(choice->schedule);
  }
  if (const auto schedule =
          ReadScheduleName(reader, {"hr_scheduler", {"", kSameSchedule}})) {
    hires.set_schedule(*schedule);
  }
}

// What A1111's second pass may have of its own and ours may not. Said again as
// the first pass has it, it is no wish.
void RefuseASecondModel(FieldReader& reader,
                        const v1::GenerateRequest& request) {
  const std::string model = reader.Text("hr_checkpoint_name").value_or("");
  if (!model.empty() && model != kSameModel && model != request.model()) {
    reader.Fail("hr_checkpoint_name",
                absl::StrCat(ShownValue(model),
                             " is given, but both passes have one model here"));
  }
  const auto scale = reader.Number("hr_cfg", 0, kMaxGuidanceScale);
  if (!scale.has_value() ||
      (request.has_guidance_scale() && request.guidance_scale() == *scale)) {
    return;
  }
  reader.Fail("hr_cfg",
              absl::StrCat(ShortestDigits(*scale),
                           " is not cfg_scale, which both passes have here"));
}

// The fewest steps of which a walk at `strength`, over 0, leaves `asked`; more
// than `most` if there are none.
int64_t StepsThatLeave(int64_t asked, double strength, StepRounding rounding,
                       int64_t most) {
  const int64_t whole = rounding == StepRounding::kDown ? asked : asked - 1;
  const double about = static_cast<double>(whole) / strength;
  if (about > static_cast<double>(most)) return most + 1;
  int64_t steps = std::max(asked, static_cast<int64_t>(about) - 1);
  while (steps <= most && StepsWalked(steps, strength, rounding) < asked) {
    ++steps;
  }
  return steps;
}

}  // namespace

void ReadHires(FieldReader& reader, v1::GenerateRequest& request) {
  if (!reader.Truth("enable_hr").value_or(false)) return;
  HiresPass& hires = *request.mutable_hires();
  hires.set_strength(
      reader.Number("denoising_strength", 0, 1).value_or(kHiresStrength));
  ReadHiresSize(reader, hires);
  const auto steps = reader.Whole("hr_second_pass_steps", 0, kMaxCount);
  if (steps.value_or(0) > 0) hires.set_steps(static_cast<uint32_t>(*steps));
  ReadHiresUpscaler(reader, hires);
  ReadHiresSampler(reader, hires);
  RefuseASecondModel(reader, request);
  for (const char* prompt : {"hr_prompt", "hr_negative_prompt"}) {
    if (!reader.Text(prompt).value_or("").empty()) {
      reader.Fail(prompt, "is given, but both passes read one prompt here");
    }
  }
}

absl::Status FitHires(const v1::Model& model, v1::GenerateRequest& request) {
  HiresPass& hires = *request.mutable_hires();
  const bool has_own = hires.has_steps();
  const int64_t asked = has_own               ? hires.steps()
                        : request.has_steps() ? request.steps()
                                              : model.default_steps();
  const int64_t limit = model.limits().max_steps();
  const int64_t most = limit > 0 ? limit : kMostSteps;
  // The service says what is wrong with these.
  if (asked == 0 || asked > most || hires.strength() <= 0) {
    return absl::OkStatus();
  }
  const int64_t steps =
      StepsThatLeave(asked, hires.strength(), StepRoundingOf(model), most);
  if (steps <= most) {
    hires.set_steps(static_cast<uint32_t>(steps));
    return absl::OkStatus();
  }
  const std::string field = has_own ? "hr_second_pass_steps" : "steps";
  return InvalidFieldsError(
      {{field, absl::StrCat(field, " ", asked, " at denoising_strength ",
                            ShortestDigits(hires.strength()),
                            " is the end of a second pass of more steps than ",
                            most, ", the model's limit")}});
}

}  // namespace genzo
