#include "gateway/field_names.h"

#include <algorithm>
#include <initializer_list>
#include <utility>

#include "absl/algorithm/container.h"
#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "gateway/door_error.h"
#include "genzo/v1/image_generation.pb.h"

namespace genzo {
namespace {

constexpr char kInside[] = "...";

// The proto's name everywhere, whatever is inside.
FieldNames Same(std::initializer_list<absl::string_view> fields) {
  FieldNames names;
  for (const absl::string_view field : fields) {
    const std::string whole = absl::StrCat(field, kInside);
    names.push_back({whole, whole});
  }
  return names;
}

FieldNames Joined(std::initializer_list<FieldNames> tables) {
  FieldNames joined;
  for (const FieldNames& table : tables) {
    joined = Followed(std::move(joined), table);
  }
  return joined;
}

// What has one name at every door that is not the service's own.
FieldNames SharedNames() {
  return Joined({Same({"prompt",        "negative_prompt",
                       "prompt_2",      "negative_prompt_2",
                       "prompt_3",      "negative_prompt_3",
                       "seed",          "eta",
                       "class_label",   "guidance_rescale",
                       "guidance",      "size_conditioning",
                       "noise_level",   "true_guidance_scale",
                       "refiner",       "max_sequence_length",
                       "sigmas",        "timesteps",
                       "priority",      "prompt_syntax",
                       "keep_latents",  "start_latents",
                       "loras",         "controls",
                       "image_prompts", "time_limit"}),
                 {{"controls[].picture...", "controls[].image"},
                  {"image_prompts[].pictures", "image_prompts[].images"},
                  {"image_prompts[].pictures[]...", "image_prompts[].images[]"},
                  {"image_to_image.inversion", "source_prompt"},
                  {"image_to_image.inversion.prompt", "source_prompt"},
                  {"outpainting...", "extend"},
                  {"best_of", "best_of"},
                  {"best_of.draw", "best_of"},
                  {"best_of.scorer", "scorer"},
                  {"safety_policy", "safety"},
                  {"reproducibility", "reproducible"},
                  {"output.upscaler", "upscaler"},
                  {"output.watermark", "watermark"},
                  {"output.mark_provenance", "provenance"}}});
}

// The same of OpenAI's door and the tools of MCP.
FieldNames CommonNames() {
  return Joined(
      {SharedNames(),
       Same({"model", "sampler", "guidance_scale", "image_guidance_scale",
             "clip_skip", "variation", "hires", "churn", "noise_generator"}),
       {{"steps", "num_inference_steps"},
        {"schedule", "scheduler"},
        {"image_count", "n"},
        {"image_to_image", "image"},
        {"image_to_image.image", "image"},
        {"image_to_image.strength", "strength"},
        {"image_to_image.resize_mode", "resize_mode"},
        {"image_to_image.inversion.guidance_scale", "inversion.guidance_scale"},
        {"image_to_image.inversion.steps", "inversion.steps"},
        {"inpainting", "mask"},
        {"inpainting.mask...", "mask"},
        {"inpainting.mask_blur", "mask_blur"},
        {"inpainting.fill", "mask_fill"},
        {"inpainting.only_masked", "only_masked"},
        {"inpainting.padding", "mask_padding"},
        {"inpainting.invert_mask", "invert_mask"},
        {"inpainting.mask_is_transparency", "mask_is_transparency"},
        {"output.embed_parameters", "embed_parameters"},
        {"output.tiny_decoder", "tiny_decoder"}}});
}

struct Match {
  size_t length = 0;  // of the field, by the row's own words
  std::vector<absl::string_view> indices;
};

// How `pattern`, without "...", begins `field`; nullopt if it does not.
std::optional<Match> MatchOf(absl::string_view pattern,
                             absl::string_view field) {
  Match match;
  for (size_t i = 0; i < pattern.size(); ++i) {
    if (match.length == field.size()) return std::nullopt;
    if (absl::StartsWith(pattern.substr(i), "[]")) {
      const size_t close = field.find(']', match.length);
      if (field[match.length] != '[' || close == field.npos) {
        return std::nullopt;
      }
      match.indices.push_back(
          field.substr(match.length, close + 1 - match.length));
      match.length = close + 1;
      ++i;
    } else if (pattern[i] == field[match.length]) {
      ++match.length;
    } else {
      return std::nullopt;
    }
  }
  return match;
}

std::string WithIndices(absl::string_view own, const Match& match) {
  std::string named;
  size_t used = 0;
  for (size_t i = 0; i < own.size(); ++i) {
    if (absl::StartsWith(own.substr(i), "[]") && used < match.indices.size()) {
      absl::StrAppend(&named, match.indices[used++]);
      ++i;
    } else {
      named += own[i];
    }
  }
  return named;
}

struct Named {
  std::string own;
  std::string shown;
};

std::optional<Named> NameOf(const FieldNames& names, absl::string_view field) {
  std::optional<Named> best;
  size_t length = 0;
  for (const FieldName& name : names) {
    absl::string_view pattern = name.proto;
    absl::string_view own = name.own;
    const bool reaches_in = absl::ConsumeSuffix(&pattern, kInside);
    const bool keeps_rest = absl::ConsumeSuffix(&own, kInside);
    const auto match = MatchOf(pattern, field);
    if (!match.has_value() || (best.has_value() && match->length <= length)) {
      continue;
    }
    const absl::string_view rest = field.substr(match->length);
    if (!rest.empty() &&
        (!reaches_in || (rest.front() != '.' && rest.front() != '['))) {
      continue;
    }
    length = match->length;
    best = Named{.own = WithIndices(own, *match), .shown = name.shown};
    if (keeps_rest) absl::StrAppend(&best->own, rest);
    if (best->shown.empty()) best->shown = best->own;
  }
  return best;
}

bool IsOfAPath(char c) {
  return absl::ascii_isalnum(c) || c == '_' || c == '.' || c == '[' || c == ']';
}

// `text` with the door's names. A field that looks like any other word is one
// only where it is `field` and the text begins with it. What is quoted is the
// client's.
std::string Reworded(const FieldNames& names, absl::string_view text,
                     absl::string_view field) {
  std::string reworded;
  bool is_quoted = false;
  for (size_t at = 0; at < text.size();) {
    const size_t begin = at;
    while (at < text.size() && IsOfAPath(text[at])) ++at;
    absl::string_view word = text.substr(begin, at - begin);
    while (absl::EndsWith(word, ".")) word.remove_suffix(1);
    at = begin + std::max<size_t>(word.size(), 1);
    const bool is_field =
        (begin == 0 && word == field) || word.find_first_of("_.[") != word.npos;
    const auto named = is_field && !is_quoted && !word.empty()
                           ? NameOf(names, word)
                           : std::nullopt;
    if (named.has_value()) {
      absl::StrAppend(&reworded, named->shown);
      continue;
    }
    if (text[begin] == '"') is_quoted = !is_quoted;
    absl::StrAppend(&reworded, text.substr(begin, at - begin));
  }
  return reworded;
}

}  // namespace

const FieldNames& OpenAiNames() {
  static const auto& names =
      *new FieldNames(Joined({CommonNames(),
                              {{"width", "size"},
                               {"height", "size"},
                               {"preview...", "partial_images"},
                               {"output.format", "output_format"},
                               {"output.quality", "output_compression"},
                               {"request_id", "idempotency-key"}}}));
  return names;
}

const FieldNames& McpNames() {
  // The last are those of the tools that do not paint.
  static const auto& names =
      *new FieldNames(Joined({CommonNames(),
                              Same({"width", "height"}),
                              {{"picture...", "image"},
                               {"pictures", "images"},
                               {"pictures[]...", "images[]"}}}));
  return names;
}

const FieldNames& A1111Names() {
  static const auto& names = *new FieldNames(Joined(
      {SharedNames(),
       Same({"steps", "width", "height"}),
       {{"guidance_scale", "cfg_scale"},
        {"sampler", "sampler_name"},
        {"schedule", "scheduler"},
        {"image_count", "batch_size"},
        {"model", "override_settings.sd_model_checkpoint"},
        {"clip_skip", "override_settings.CLIP_stop_at_last_layers"},
        {"noise_generator", "override_settings.randn_source"},
        {"output.format", "override_settings.samples_format"},
        {"output.embed_parameters", "override_settings.enable_pnginfo"},
        {"output.tiny_decoder", "override_settings.sd_vae_decode_method"},
        {"variation", "subseed_strength"},
        {"variation.seed", "subseed"},
        {"variation.strength", "subseed_strength"},
        {"variation.resize_from_width", "seed_resize_from_w"},
        {"variation.resize_from_height", "seed_resize_from_h"},
        {"churn", "s_churn"},
        {"churn.amount", "s_churn"},
        {"churn.min_sigma", "s_tmin"},
        {"churn.max_sigma", "s_tmax"},
        {"churn.noise", "s_noise"},
        {"image_guidance_scale", "image_cfg_scale"},
        {"image_to_image", "init_images"},
        {"image_to_image.image", "init_images"},
        {"image_to_image.strength", "denoising_strength"},
        {"image_to_image.resize_mode", "resize_mode"},
        {"inpainting", "mask"},
        {"inpainting.mask...", "mask"},
        {"inpainting.mask_blur", "mask_blur"},
        {"inpainting.fill", "inpainting_fill"},
        {"inpainting.only_masked", "inpaint_full_res"},
        {"inpainting.padding", "inpaint_full_res_padding"},
        {"inpainting.invert_mask", "inpainting_mask_invert"},
        {"hires", "enable_hr"},
        {"hires.factor", "hr_scale"},
        {"hires.width", "hr_resize_x"},
        {"hires.height", "hr_resize_y"},
        {"hires.upscale", "hr_upscaler"},
        {"hires.upscaler", "hr_upscaler"},
        {"hires.steps", "hr_second_pass_steps"},
        {"hires.strength", "denoising_strength"},
        {"hires.sampler", "hr_sampler_name"},
        {"hires.schedule", "hr_scheduler"}}}));
  return names;
}

const FieldNames& JobNames() {
  static const auto& names = *new FieldNames([] {
    const auto& request = *v1::GenerateRequest::descriptor();
    FieldNames rows;
    for (int i = 0; i < request.field_count(); ++i) {
      const std::string whole = absl::StrCat(request.field(i)->name(), kInside);
      rows.push_back({whole, absl::StrCat("request.", whole)});
    }
    return rows;
  }());
  return names;
}

const FieldNames& A1111ExtrasNames() {
  static const auto& names = *new FieldNames({{"upscaler", "upscaler_1"},
                                              {"factor", "upscaling_resize"},
                                              {"width", "upscaling_resize_w"},
                                              {"height", "upscaling_resize_h"},
                                              {"picture...", "image"}});
  return names;
}

FieldNames Followed(FieldNames first, const FieldNames& later) {
  first.insert(first.end(), later.begin(), later.end());
  return first;
}

std::optional<std::string> OwnName(const FieldNames& names,
                                   absl::string_view field) {
  const auto named = NameOf(names, field);
  if (!named.has_value()) return std::nullopt;
  return named->own;
}

absl::Status Renamed(const absl::Status& status, const FieldNames& names) {
  std::vector<FieldViolation> violations = ViolationsIn(status);
  if (violations.empty()) {
    absl::Status renamed(status.code(), Reworded(names, status.message(), ""));
    status.ForEachPayload([&](absl::string_view type, const absl::Cord& bytes) {
      renamed.SetPayload(type, bytes);
    });
    const auto own = OwnName(names, FieldOf(status));
    return own.has_value() ? WithField(renamed, *own) : renamed;
  }
  for (FieldViolation& violation : violations) {
    violation.description =
        Reworded(names, violation.description, violation.field);
    violation.field = OwnName(names, violation.field).value_or(violation.field);
  }
  // What are two fields here may be one there.
  std::vector<FieldViolation> told;
  for (FieldViolation& violation : violations) {
    const bool is_known =
        absl::c_any_of(told, [&](const FieldViolation& other) {
          return other.field == violation.field &&
                 other.description == violation.description;
        });
    if (!is_known) told.push_back(std::move(violation));
  }
  return InvalidFieldsError(told);
}

}  // namespace genzo
