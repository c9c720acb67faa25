#include "gateway/a1111_answers.h"

#include <set>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/errors.h"
#include "base/pictures/picture_metadata.h"
#include "base/utf8.h"
#include "gateway/a1111_infotext.h"
#include "gateway/a1111_parameters.h"
#include "gateway/a1111_variation.h"
#include "gateway/sampler_labels.h"

namespace genzo {

using nlohmann::json;

namespace {

std::string ParametersIn(const PictureText& text) {
  return ToUtf8(TextOf(text, kParametersKey));
}

// What `info` has no field for: in A1111's words, and beside them what it has
// no word for.
json ExtraParameters(const Painting& painting) {
  json extra = A1111Parameters(painting.resolved);
  json facts = json::array();
  for (const auto& [index, image] : painting.images) {
    facts.push_back(FactsOf(image));
  }
  extra["Images"] = std::move(facts);
  if (painting.withheld > 0) extra["Withheld"] = painting.withheld;
  return extra;
}

json StrengthOf(const v1::GenerateRequest& request) {
  if (request.has_hires()) return request.hires().strength();
  if (request.has_image_to_image()) return request.image_to_image().strength();
  return nullptr;
}

}  // namespace

json A1111Info(const Painting& painting, uint32_t batch_size,
               std::vector<std::string> comments) {
  const v1::GenerateRequest& request = painting.resolved;
  json seeds = json::array(), prompts = json::array(),
       negatives = json::array(), subseeds = json::array(),
       texts = json::array();
  for (const auto& [index, image] : painting.images) {
    seeds.push_back(image.seed());
    subseeds.push_back(SubseedOf(request, image.seed(), index));
    prompts.push_back(request.prompt());
    negatives.push_back(request.negative_prompt());
    const auto text = ReadPictureText(image.picture().data());
    texts.push_back(text.ok() ? ParametersIn(*text) : "");
  }
  if (painting.withheld > 0) {
    comments.push_back(
        absl::StrCat(painting.withheld, " withheld by the server's policy"));
  }
  return {{"prompt", request.prompt()},
          {"all_prompts", prompts},
          {"negative_prompt", request.negative_prompt()},
          {"all_negative_prompts", negatives},
          {"seed", seeds.empty() ? json(request.seed()) : seeds[0]},
          {"all_seeds", seeds},
          {"subseed", subseeds.empty() ? json(request.seed()) : subseeds[0]},
          {"all_subseeds", subseeds},
          {"subseed_strength", request.variation().strength()},
          {"width", request.width()},
          {"height", request.height()},
          {"sampler_name", LabelOf(request.sampler())},
          {"cfg_scale", request.guidance_scale()},
          {"steps", request.steps()},
          {"batch_size", batch_size},
          {"restore_faces", false},
          {"face_restoration_model", nullptr},
          {"sd_model_name", request.model()},
          {"sd_model_hash", ""},
          {"seed_resize_from_w", -1},
          {"seed_resize_from_h", -1},
          {"denoising_strength", StrengthOf(request)},
          {"extra_generation_params", ExtraParameters(painting)},
          {"index_of_first_image", 0},
          {"infotexts", texts},
          {"styles", json::array()},
          {"comments", absl::StrJoin(comments, "\n")},
          {"job_timestamp", ""},
          {"clip_skip", request.clip_skip() + 1},
          {"is_using_inpainting_conditioning", false}};
}

absl::StatusOr<json> A1111PngInfo(absl::string_view file) {
  const auto text = ReadPictureText({file.data(), file.size()});
  if (!text.ok()) {
    return InvalidFieldsError(
        {{"image", absl::StrCat("image: ", text.status().message())}});
  }
  json items = json::object();
  // As A1111 does: of a key that is there twice, the last.
  for (const auto& [key, value] : *text) items[key] = ToUtf8(value);
  const std::string info = items.value(kParametersKey, "");
  return json{{"info", info},
              {"items", std::move(items)},
              {"parameters", ReadInfotext(info)}};
}

json A1111Models(const v1::ListModelsResponse& list) {
  json models = json::array();
  for (const v1::Model& model : list.models()) {
    models.push_back({{"title", model.id()},
                      {"model_name", model.id()},
                      {"hash", nullptr},
                      {"sha256", nullptr},
                      {"filename", model.id()},
                      {"config", nullptr}});
  }
  return models;
}

json A1111Samplers(const v1::Model* model) {
  json samplers = json::array();
  if (model == nullptr) return samplers;
  for (const auto& support : model->samplers()) {
    const std::string label = LabelOf(support.sampler());
    json aliases = {v1::Sampler_Name(support.sampler())};
    for (const int schedule : support.schedules()) {
      aliases.push_back(absl::StrCat(
          label, " ", LabelOf(static_cast<v1::NoiseSchedule>(schedule))));
    }
    samplers.push_back(
        {{"name", label}, {"aliases", aliases}, {"options", json::object()}});
  }
  return samplers;
}

json A1111Schedulers(const v1::Model* model) {
  std::set<int> known = {v1::NOISE_SCHEDULE_UNSPECIFIED};
  if (model != nullptr) {
    for (const auto& support : model->samplers()) {
      known.insert(support.schedules().begin(), support.schedules().end());
    }
  }
  json schedulers = json::array();
  for (const int schedule : known) {
    const std::string label = LabelOf(static_cast<v1::NoiseSchedule>(schedule));
    schedulers.push_back({{"name", absl::AsciiStrToLower(label)},
                          {"label", label},
                          {"aliases", nullptr},
                          {"default_rho", -1},
                          {"need_inner_model", false}});
  }
  return schedulers;
}

json A1111Loras(const v1::LoraRegistryListResponse& list) {
  json loras = json::array();
  for (const v1::Lora& lora : list.loras()) {
    if (lora.has_error()) continue;
    loras.push_back({{"name", lora.name()},
                     {"alias", lora.name()},
                     {"path", lora.name()},
                     {"metadata",
                      {{"ss_base_model_version", lora.family()},
                       {"ss_network_dim", absl::StrCat(lora.rank())}}}});
  }
  return loras;
}

json A1111Progress(const std::optional<SeatedJob>& job) {
  json state = {{"skipped", false},   {"interrupted", false}, {"job", ""},
                {"job_count", 0},     {"job_timestamp", ""},  {"job_no", 0},
                {"sampling_step", 0}, {"sampling_steps", 0}};
  json progress = {{"progress", 0.0},
                   {"eta_relative", 0.0},
                   {"current_image", nullptr},
                   {"textinfo", nullptr}};
  if (job.has_value()) {
    state["job"] = "scripts_txt2img";
    state["job_count"] = 1;
    state["interrupted"] = job->was_interrupted;
    if (!job->walks.empty()) {
      // Of one picture after the other the last is under way, and of those that
      // are painted together any tells of all.
      const SeatedJob::Walk& walk = job->walks.rbegin()->second;
      state["sampling_step"] = walk.step;
      state["sampling_steps"] = walk.steps;
    } else if (job->resolved.has_value()) {
      state["sampling_steps"] = job->resolved->steps();
    }
    progress["progress"] = job->Share();
    progress["eta_relative"] = absl::ToDoubleSeconds(job->time_left);
    if (!job->previews.empty()) {
      progress["current_image"] =
          absl::Base64Escape(job->previews.begin()->second);
    }
  }
  progress["state"] = std::move(state);
  return progress;
}

}  // namespace genzo
