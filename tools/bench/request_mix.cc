#include "tools/bench/request_mix.h"

#include <algorithm>
#include <array>
#include <numeric>
#include <random>

#include "absl/strings/str_cat.h"
#include "client/sampler_names.h"

namespace genzo {
namespace {

constexpr int kMixedKinds = 12;
constexpr uint32_t kUniformSteps = 25;
constexpr uint32_t kFewestSteps = 4;
constexpr uint32_t kMostSteps = 30;
constexpr int kStepCounts = 6;
constexpr double kUniformGuidance = 7.5;
constexpr std::array<double, 3> kGuidanceScales = {1, 3, 7.5};

constexpr std::array<const char*, 8> kPrompts = {
    "a sunset over the sea",
    "a red fox in the snow",
    "a lighthouse on a cliff at night, oil painting",
    "fog",
    "a green valley with a river, seen from above in the morning",
    "a bowl of oranges on a wooden table by the window",
    "an empty street in the rain, neon lights, reflections, very detailed",
    "snow-covered mountains under a clear blue sky"};

struct Size {
  uint32_t width = 0;
  uint32_t height = 0;
};

absl::Status CheckSide(const char* name, uint32_t side,
                       const v1::ModelLimits& limits) {
  if (side >= limits.min_side() && side <= limits.max_side() &&
      side % std::max(1u, limits.size_multiple()) == 0) {
    return absl::OkStatus();
  }
  return absl::InvalidArgumentError(absl::StrCat(
      name, " ", side, " is not a multiple of ", limits.size_multiple(),
      " from ", limits.min_side(), " to ", limits.max_side()));
}

uint32_t Half(uint32_t side, const v1::ModelLimits& limits) {
  const uint32_t multiple = std::max(1u, limits.size_multiple());
  return std::max(side / 2 / multiple * multiple, limits.min_side());
}

RequestKind MakeKind(const MixOptions& options, Size size, uint32_t steps,
                     double guidance, const SamplerChoice& choice) {
  RequestKind kind;
  kind.name = absl::StrCat(size.width, "x", size.height, ", ", steps,
                           " steps, guidance ", guidance);
  if (choice.sampler != v1::SAMPLER_UNSPECIFIED) {
    absl::StrAppend(&kind.name, ", ", SamplerName(choice));
  }
  v1::GenerateRequest& request = kind.request;
  request.set_width(size.width);
  request.set_height(size.height);
  request.set_steps(steps);
  request.set_guidance_scale(guidance);
  request.set_sampler(choice.sampler);
  request.set_schedule(choice.schedule);
  request.mutable_preview()->set_every(options.preview_every);
  request.mutable_output()->set_embed_parameters(false);
  return kind;
}

// `kMixedKinds` values in which each of `values` is equally frequent, in an
// order of their own: a Latin-square-like draw needs few kinds.
template <typename T>
std::vector<T> Evenly(const std::vector<T>& values, std::mt19937_64& random) {
  std::vector<T> drawn;
  drawn.reserve(kMixedKinds);
  for (int i = 0; i < kMixedKinds; ++i) {
    drawn.push_back(values[i % values.size()]);
  }
  std::shuffle(drawn.begin(), drawn.end(), random);
  return drawn;
}

std::vector<uint32_t> StepCounts(uint32_t most) {
  const uint32_t fewest = std::min(kFewestSteps, most);
  std::vector<uint32_t> counts;
  counts.reserve(kStepCounts);
  for (int i = 0; i < kStepCounts; ++i) {
    counts.push_back(fewest + (most - fewest) * i / (kStepCounts - 1));
  }
  return counts;
}

// The model's default first, as requests that name none get it.
std::vector<SamplerChoice> SamplersOf(const v1::Model& model) {
  std::vector<SamplerChoice> choices = {{.sampler = model.default_sampler()}};
  for (const v1::SamplerSupport& row : model.samplers()) {
    if (row.sampler() != model.default_sampler()) {
      choices.push_back({.sampler = row.sampler()});
    }
    for (const int schedule : row.schedules()) {
      choices.push_back(
          {row.sampler(), static_cast<v1::NoiseSchedule>(schedule)});
    }
  }
  return choices;
}

std::vector<RequestKind> MixedKinds(const MixOptions& options, Size size,
                                    uint32_t most_steps,
                                    const v1::Model& model) {
  std::mt19937_64 random(options.seed);
  const Size half = {Half(size.width, model.limits()),
                     Half(size.height, model.limits())};
  const auto sizes = Evenly<Size>({size, half}, random);
  const auto steps = Evenly(StepCounts(most_steps), random);
  const auto guidance = Evenly(
      std::vector<double>(kGuidanceScales.begin(), kGuidanceScales.end()),
      random);
  const auto samplers = Evenly(SamplersOf(model), random);
  std::vector<RequestKind> kinds;
  kinds.reserve(kMixedKinds);
  for (int i = 0; i < kMixedKinds; ++i) {
    kinds.push_back(
        MakeKind(options, sizes[i], steps[i], guidance[i], samplers[i]));
  }
  return kinds;
}

}  // namespace

absl::StatusOr<RequestMix> RequestMix::Create(const MixOptions& options,
                                              const v1::Model& model) {
  const Size size = {options.width.value_or(model.default_width()),
                     options.height.value_or(model.default_height())};
  const bool mixed = options.profile == MixProfile::kMixed;
  const uint32_t limit = model.limits().max_steps();
  const uint32_t steps = options.steps.value_or(
      std::min(mixed ? kMostSteps : kUniformSteps, limit));
  absl::Status status = CheckSide("width", size.width, model.limits());
  status.Update(CheckSide("height", size.height, model.limits()));
  if (steps < 1 || steps > limit) {
    status.Update(absl::InvalidArgumentError(
        absl::StrCat("steps ", steps, " is not from 1 to ", limit)));
  }
  if (!status.ok()) return status;
  std::vector<RequestKind> kinds =
      mixed ? MixedKinds(options, size, steps, model)
            : std::vector{MakeKind(options, size, steps, kUniformGuidance,
                                   SamplerChoice())};
  for (RequestKind& kind : kinds) kind.request.set_model(model.id());
  return RequestMix(std::move(kinds), options.seed);
}

MixedRequest RequestMix::Draw(int index) const {
  const int count = static_cast<int>(kinds_.size());
  std::vector<int> order(count);
  std::iota(order.begin(), order.end(), 0);
  std::mt19937_64 random(seed_ + index / count);
  std::shuffle(order.begin(), order.end(), random);
  return OfKind(order[index % count], index);
}

MixedRequest RequestMix::OfKind(int kind, int index) const {
  MixedRequest mixed = {kind, kinds_[kind].request};
  mixed.request.set_prompt(kPrompts[index % kPrompts.size()]);
  mixed.request.set_seed(seed_ * 1'000'000 + index);
  return mixed;
}

}  // namespace genzo
