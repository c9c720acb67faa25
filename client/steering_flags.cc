#include "client/steering_flags.h"

namespace genzo {

void SteeringFlags::Add(CLI::App& command) {
  CLI::App& c = command;
  c.add_flag("--weighted", weighted_,
             "read (word:1.3), [word], [from:to:when], [a|b], BREAK, long "
             "prompts and names of embeddings as web UIs do");
  c.add_option("--guidance-start", guidance_start_,
               "share of the steps after which guidance begins, 0 to 1");
  c.add_option("--guidance-end", guidance_end_,
               "share of the steps after which it ends; a step outside costs "
               "half");
  c.add_option("--perturbed-attention", perturbed_attention_,
               "weight of perturbed-attention guidance, 3 for instance");
  c.add_option("--perturbed-layers", perturbed_layers_,
               "where: beginnings of layers' names, separated by commas; "
               "mid_block if absent")
      ->delimiter(',');
  c.add_option("--skip-layer", skip_layer_,
               "weight of skip-layer guidance of SD3, 2.8 for instance");
  c.add_option("--skip-layers", skip_layers_,
               "layers that it skips, separated by commas")
      ->delimiter(',');
  c.add_option("--text-gate", text_gate_,
               "step after which the text is not looked at any more: faster, "
               "an approximation");
  c.add_option("--variation-seed", variation_seed_,
               "another seed to mix in; drawn if absent");
  c.add_option("--variation", variation_strength_,
               "how far to go towards the other seed's noise, 0 to 1");
  c.add_option("--resize-from", resize_from_,
               "WIDTH,HEIGHT of the picture whose noise to use in the middle")
      ->delimiter(',')
      ->expected(2);
  c.add_flag("--keep-latents", keep_latents_,
             "have the server keep the latents; prints their name");
  auto* latents =
      c.add_option("--from-latents", start_latents_,
                   "name of kept latents to start from, in place of --image")
          ->excludes("--image");
  c.add_option("--latents-strength", latents_strength_,
               "how much of them is painted anew, 0 to 1; 0.8 if absent")
      ->needs(latents);
  c.add_flag("--invert", invert_,
             "begin at the picture's own noise rather than random noise (DDIM "
             "inversion)");
  c.add_option("--invert-prompt", invert_prompt_,
               "what the picture shows, if not what is to be painted; implies "
               "--invert, as the next two");
  c.add_option("--invert-guidance", invert_guidance_,
               "guidance scale on the way up; 1 if absent");
  c.add_option("--invert-steps", invert_steps_,
               "steps of the way up; --steps if absent");
}

void SteeringFlags::Set(v1::GenerateRequest& request) const {
  if (weighted_) request.set_prompt_syntax(v1::PROMPT_SYNTAX_WEIGHTED);
  SetGuidance(request);
  SetVariation(request);
  request.set_keep_latents(keep_latents_);
  request.set_start_latents(start_latents_);
  if (latents_strength_) {
    request.mutable_image_to_image()->set_strength(*latents_strength_);
  }
  SetInversion(request);
}

void SteeringFlags::SetInversion(v1::GenerateRequest& request) const {
  if (!invert_ && !invert_prompt_ && !invert_guidance_ && !invert_steps_) {
    return;
  }
  auto& inversion = *request.mutable_image_to_image()->mutable_inversion();
  if (invert_prompt_) inversion.set_prompt(*invert_prompt_);
  if (invert_guidance_) inversion.set_guidance_scale(*invert_guidance_);
  if (invert_steps_) inversion.set_steps(*invert_steps_);
}

void SteeringFlags::SetGuidance(v1::GenerateRequest& request) const {
  v1::GuidanceOptions options;
  if (guidance_start_) options.set_start(*guidance_start_);
  if (guidance_end_) options.set_end(*guidance_end_);
  if (perturbed_attention_) {
    options.set_perturbed_attention_scale(*perturbed_attention_);
  }
  options.mutable_perturbed_layers()->Assign(perturbed_layers_.begin(),
                                             perturbed_layers_.end());
  if (skip_layer_) options.set_skip_layer_scale(*skip_layer_);
  options.mutable_skip_layers()->Assign(skip_layers_.begin(),
                                        skip_layers_.end());
  if (text_gate_) options.set_text_gate_step(*text_gate_);
  if (options.ByteSizeLong() > 0) *request.mutable_guidance() = options;
}

void SteeringFlags::SetVariation(v1::GenerateRequest& request) const {
  v1::Variation variation;
  if (variation_seed_) variation.set_seed(*variation_seed_);
  if (variation_strength_) variation.set_strength(*variation_strength_);
  if (!resize_from_.empty()) {
    variation.set_resize_from_width(resize_from_[0]);
    variation.set_resize_from_height(resize_from_[1]);
  }
  if (variation.ByteSizeLong() > 0) *request.mutable_variation() = variation;
}

}  // namespace genzo
