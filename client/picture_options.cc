#include "client/picture_options.h"

#include <set>
#include <string>

#include "client/sampler_names.h"

namespace genzo {

void PictureOptions::AddTo(CLI::App& command) {
  auto* best_of = command.add_option("--best-of", best_of_,
                                     "draw so many pictures and send the best "
                                     "--count of them");
  command
      .add_option("--scorer", scorer_,
                  "who chooses, as the server calls it; the model's own scorer "
                  "if absent")
      ->needs(best_of);
  std::set<std::string> policies;
  for (const auto& [name, policy] : SafetyPolicyNames()) policies.insert(name);
  command
      .add_option("--safety", safety_,
                  "what becomes of pictures that the model's safety checker "
                  "marks, if the server is not stricter")
      ->transform(CLI::IsMember(policies, CLI::ignore_case));
  command.add_option("--quality", quality_, "of JPEG and WebP, 1 to 100");
  auto* watermark = command.add_flag(
      "--watermark", watermark_,
      "an invisible mark in the pixels, if the server does not set it anyway");
  command
      .add_flag("--no-watermark", no_watermark_,
                "no such mark, where the server allows it")
      ->excludes(watermark);
  command.add_flag("--no-provenance", no_provenance_,
                   "do not write into the file that a machine made it, where "
                   "the server allows it");
  command.add_flag("--tiny-decoder", tiny_decoder_,
                   "the model's small decoder makes the picture: faster, a "
                   "little less sharp");
  command.add_flag("--reproducible", reproducible_,
                   "the same bits whatever else the server paints");
}

void PictureOptions::Set(v1::GenerateRequest& request) const {
  if (best_of_.has_value()) {
    request.mutable_best_of()->set_draw(*best_of_);
    request.mutable_best_of()->set_scorer(scorer_);
  }
  if (!safety_.empty()) {
    request.set_safety_policy(
        static_cast<v1::SafetyPolicy>(SafetyPolicyNames().at(safety_)));
  }
  v1::OutputOptions& output = *request.mutable_output();
  if (quality_) output.set_quality(*quality_);
  if (watermark_ || no_watermark_) output.set_watermark(watermark_);
  if (no_provenance_) output.set_mark_provenance(false);
  if (tiny_decoder_) output.set_tiny_decoder(true);
  if (reproducible_) {
    request.set_reproducibility(v1::REPRODUCIBILITY_REPRODUCIBLE);
  }
}

}  // namespace genzo
