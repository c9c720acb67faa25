#include "client/hires_options.h"

#include <map>

#include "base/sampler_spelling.h"
#include "client/sampler_validator.h"

namespace genzo {
namespace {

using v1::HiresPass;

// Any other name is an upscaler's.
const std::map<std::string, HiresPass::Upscale>& WayNames() {
  static const auto* const names =
      new std::map<std::string, HiresPass::Upscale>{
          {"latent", HiresPass::UPSCALE_LATENT},
          {"latent-nearest", HiresPass::UPSCALE_LATENT_NEAREST},
          {"latent-bicubic", HiresPass::UPSCALE_LATENT_BICUBIC},
          {"lanczos", HiresPass::UPSCALE_LANCZOS}};
  return *names;
}

}  // namespace

void HiresOptions::AddTo(CLI::App& command) {
  auto* factor = command.add_option(
      "--hires", factor_, "paint over the picture, so many times larger");
  auto* size = command
                   .add_option("--hires-size", size_,
                               "WIDTH,HEIGHT of that, in place of --hires")
                   ->delimiter(',')
                   ->expected(2)
                   ->excludes(factor);
  const auto with_hires = [&](CLI::Option* option) {
    option->check(CLI::Validator(
        [factor, size](const std::string&) -> std::string {
          return factor->count() + size->count() > 0
                     ? ""
                     : "it needs --hires or --hires-size";
        },
        ""));
  };
  with_hires(command.add_option(
      "--hires-upscaler", upscaler_,
      "how it is enlarged: latent (default), latent-nearest, latent-bicubic, "
      "lanczos, or one of `genzo upscale --list`"));
  with_hires(command.add_option("--hires-steps", steps_,
                                "steps of the second pass; as --steps"));
  with_hires(command.add_option(
      "--hires-strength", strength_,
      "how much is painted anew, over 0 to 1; 0.7 if absent"));
  with_hires(command
                 .add_option("--hires-sampler", sampler_,
                             "sampler of the second pass; as --sampler")
                 ->check(SamplerSpelling()));
  command.add_option("--upscaler", output_upscaler_,
                     "enlarges the finished picture; see `genzo upscale "
                     "--list`");
}

void HiresOptions::Apply(v1::GenerateRequest& request) const {
  if (!output_upscaler_.empty()) {
    request.mutable_output()->set_upscaler(output_upscaler_);
  }
  if (!factor_ && size_.empty()) return;
  HiresPass& hires = *request.mutable_hires();
  if (factor_) hires.set_factor(*factor_);
  if (!size_.empty()) {
    hires.set_width(size_[0]);
    hires.set_height(size_[1]);
  }
  const auto way = WayNames().find(upscaler_);
  if (way != WayNames().end()) {
    hires.set_upscale(way->second);
  } else {
    hires.set_upscaler(upscaler_);
  }
  if (steps_) hires.set_steps(*steps_);
  if (strength_) hires.set_strength(*strength_);
  if (sampler_.empty()) return;
  const SamplerChoice choice = FindSampler(sampler_).value();
  hires.set_sampler(choice.sampler);
  hires.set_schedule(choice.schedule);
}

}  // namespace genzo
