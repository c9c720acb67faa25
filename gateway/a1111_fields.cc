#include <limits>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/request_rules.h"
#include "gateway/a1111.h"
#include "gateway/a1111_controlnet.h"
#include "gateway/a1111_hires.h"
#include "gateway/a1111_inpainting.h"
#include "gateway/a1111_settings.h"
#include "gateway/a1111_variation.h"
#include "gateway/a1111_words.h"
#include "gateway/json_body.h"
#include "gateway/loras.h"
#include "gateway/model_fields.h"
#include "gateway/sampler_labels.h"
#include "gateway/start_fields.h"

namespace genzo {

using nlohmann::json;

namespace {

constexpr double kMaxNumber = std::numeric_limits<float>::max();
constexpr double kMaxSigma = 999;  // beyond, A1111 means none
// Steps between two looks that `progress` may show. They cost next to nothing.
constexpr uint32_t kPreviewEvery = 5;
// A1111's own, for img2img.
constexpr double kStrength = 0.75;
// By A1111's numbers.
constexpr v1::ResizeMode kResizeModes[] = {
    v1::RESIZE_MODE_STRETCH, v1::RESIZE_MODE_CROP, v1::RESIZE_MODE_FILL};

bool IsEmpty(const json* value) {
  return value == nullptr || value->is_null() ||
         (value->is_structured() && value->empty()) ||
         (value->is_string() &&
          (value->get<std::string>().empty() ||
           absl::EqualsIgnoreCase(value->get<std::string>(), "none"))) ||
         (value->is_boolean() && !value->get<bool>()) ||
         (value->is_number() && value->get<double>() == 0);
}

void RefuseWhatIsLacking(FieldReader& reader) {
  for (const auto& [name, what] :
       std::initializer_list<std::pair<const char*, const char*>>{
           {"restore_faces", "restoring of faces"},
           {"tiling", "tiling"},
           {"styles", "styles"},
           {"refiner_checkpoint", "refiner out of another checkpoint"},
           {"script_name", "scripts"},
           {"s_min_uncond", "guidance that ends at a noise level"}}) {
    if (!IsEmpty(reader.Any(name))) FailAsLacking(reader, name, what);
  }
  const json* scripts = ReadMap(reader, "alwayson_scripts");
  if (scripts == nullptr) return;
  FieldReader each(reader, *scripts, "alwayson_scripts");
  for (const auto& [name, value] : scripts->items()) {
    const json* script = ReadMap(each, name);
    if (script == nullptr || !script->contains("args") ||
        IsControlNetScript(name)) {
      continue;
    }
    const json& arguments = (*script)["args"];
    // Clients switch off what they know of by [] or [false].
    const bool is_off =
        IsEmpty(&arguments) || (arguments.is_array() && IsEmpty(&arguments[0]));
    if (!is_off) {
      FailAsLacking(reader, "alwayson_scripts",
                    absl::StrCat("script ", ShownValue(name)));
    }
  }
  reader.Add(each);
}

// Adapters are named in the prompt, and so are their faults.
void NameTags(const v1::GenerateRequest& request, FieldNames& names) {
  for (int i = 0; i < request.loras_size(); ++i) {
    names.push_back(
        {EntryOf("loras", i) + "...", "prompt",
         absl::StrCat("prompt's <lora:", request.loras(i).name(), ">")});
  }
  if (request.loras_size() > 0) {
    names.push_back({"loras", "prompt", "prompt's <lora:...>"});
  }
}

// Whether `text` has the word AND by itself, which joins A1111's prompts.
bool JoinsPrompts(absl::string_view text) {
  constexpr absl::string_view kAnd = "AND";
  const auto is_of_a_word = [&](size_t at) {
    return at < text.size() &&
           (absl::ascii_isalnum(text[at]) || text[at] == '_' ||
            static_cast<signed char>(text[at]) < 0);
  };
  for (size_t at = text.find(kAnd); at != text.npos;
       at = text.find(kAnd, at + kAnd.size())) {
    if (!is_of_a_word(at - 1) && !is_of_a_word(at + kAnd.size())) return true;
  }
  return false;
}

// What A1111 reads in prompts beside text.
void ReadGrammar(FieldReader& reader, A1111Call& call, std::string& prompt) {
  const std::string wrong = TakeLoraTags(prompt, call.request);
  if (!wrong.empty()) reader.Fail("prompt", wrong);
  NameTags(call.request, call.names);
  if (absl::StrContains(prompt, "<hypernet:")) {
    reader.Fail("prompt",
                "has <hypernet:...>, but this server has no hypernetworks yet");
  }
  // A1111 reads them in the prompt alone and takes these for text.
  if (absl::StrContains(call.request.negative_prompt(), "<lora:")) {
    reader.Fail("negative_prompt", "has <lora:...>, which prompt alone may");
  }
  // No fault: it stands in prompts in capitals, too.
  if (JoinsPrompts(prompt)) {
    call.comments.emplace_back(
        "prompt has AND, a word like any other here: this server does not "
        "compose prompts");
  }
}

void ReadPrompts(FieldReader& reader, A1111Call& call) {
  std::string prompt = reader.Text("prompt").value_or("");
  call.request.set_negative_prompt(reader.Text("negative_prompt").value_or(""));
  const json* syntax = reader.Any("prompt_syntax");
  call.reads_grammar = syntax == nullptr || *syntax != "plain";
  if (call.reads_grammar) ReadGrammar(reader, call, prompt);
  call.tags = call.request.loras_size();
  call.request.set_prompt(std::move(prompt));
}

// The extension's units, by either of its ways. The body as it is shown again
// has them without pictures.
void ReadControlNet(const json& body, FieldReader& reader, A1111Call& call) {
  const auto read = [&](const std::string& place, const json& units) {
    ReadControlNetUnits(place, units, reader, call.request, call.names);
    return WithoutPictures(units);
  };
  // The name of an older version.
  const auto older = body.find("controlnet_units");
  if (older != body.end() && !older->is_null()) {
    call.parameters["controlnet_units"] = read("controlnet_units", *older);
  }
  const auto scripts = body.find("alwayson_scripts");
  if (scripts == body.end() || !scripts->is_object()) return;
  bool is_read = false;
  for (const auto& [name, script] : scripts->items()) {
    if (!IsControlNetScript(name) || !script.is_object() ||
        !script.contains("args")) {
      continue;
    }
    const std::string place = Inside("alwayson_scripts", name);
    if (std::exchange(is_read, true)) {
      return reader.Fail(place, "is the same script in other letters");
    }
    call.parameters["alwayson_scripts"][name]["args"] =
        read(Inside(place, "args"), script["args"]);
  }
}

// How large, how many, and from which noise.
void ReadSizes(FieldReader& reader, A1111Call& call) {
  v1::GenerateRequest& request = call.request;
  if (const auto seed = reader.Seed("seed")) request.set_seed(*seed);
  if (const auto steps = reader.Whole("steps", 1, kMaxCount)) {
    request.set_steps(*steps);
  }
  if (const auto scale = reader.Number("cfg_scale", 0, kMaxGuidanceScale)) {
    request.set_guidance_scale(*scale);
  }
  if (const auto width = reader.Whole("width", 1, kMaxCount)) {
    request.set_width(*width);
  }
  if (const auto height = reader.Whole("height", 1, kMaxCount)) {
    request.set_height(*height);
  }
  call.batch_size = reader.Whole("batch_size", 1, 64).value_or(1);
  const auto rounds = reader.Whole("n_iter", 1, 64).value_or(1);
  request.set_image_count(call.batch_size * rounds);
  if (rounds == 1) return;
  // What the service says of their number is said of what makes it.
  call.names.push_back(
      call.batch_size == 1
          ? FieldName{"image_count", "n_iter"}
          : FieldName{"image_count", "batch_size", "n_iter x batch_size"});
}

void ReadSampler(FieldReader& reader, v1::GenerateRequest& request) {
  // sampler_index is the older name of the same.
  for (const char* field : {"sampler_index", "sampler_name"}) {
    if (const auto choice = ReadSamplerName(
            reader, {field, {""}, "GET /sdapi/v1/samplers lists them"})) {
      request.set_sampler(choice->sampler);
      request.set_schedule(choice->schedule);
    }
  }
  const auto schedule = ReadScheduleName(
      reader, {"scheduler", {""}, "GET /sdapi/v1/schedulers lists them"});
  if (schedule.value_or(v1::NOISE_SCHEDULE_UNSPECIFIED) !=
      v1::NOISE_SCHEDULE_UNSPECIFIED) {
    request.set_schedule(*schedule);
  }
}

// Clients send all of these with every body; the first switches them on. No
// upper bound is written as 0, or as more than there can be.
void ReadChurn(FieldReader& reader, v1::GenerateRequest& request) {
  const auto amount = reader.Number("s_churn", 0, kMaxNumber).value_or(0);
  const auto min = reader.Number("s_tmin", 0, kMaxNumber).value_or(0);
  const auto max = reader.Number("s_tmax", 0, kMaxNumber).value_or(0);
  const auto noise = reader.Number("s_noise", 0, kMaxNumber);
  if (amount <= 0) return;
  v1::Churn& churn = *request.mutable_churn();
  churn.set_amount(amount);
  churn.set_min_sigma(min);
  if (max > 0 && max < kMaxSigma) churn.set_max_sigma(max);
  if (noise.has_value()) churn.set_noise(*noise);
}

void ReadStart(FieldReader& reader, v1::GenerateRequest& request) {
  auto& from = *request.mutable_image_to_image();
  v1::ImageToImage::Inversion inversion;
  if (ReadMessage(reader, "inversion", inversion)) {
    *from.mutable_inversion() = inversion;
  }
  ReadSourcePrompt(reader, from);
  const auto strength = reader.Number("denoising_strength", 0, 1);
  if (strength.has_value() || !from.has_inversion()) {
    from.set_strength(strength.value_or(kStrength));
  }
  // Clients send A1111's default whatever the model is; it is ours, too.
  const auto keeps = reader.Number("image_cfg_scale", 0, kMaxGuidanceScale);
  if (keeps.has_value() && *keeps != kDefaultImageGuidanceScale) {
    request.set_image_guidance_scale(*keeps);
  }
  const int64_t mode = reader.Whole("resize_mode", 0, 3).value_or(0);
  if (mode > 2) {
    FailAsLacking(reader, "resize_mode", "scaling of a picture's latents");
  } else {
    from.set_resize_mode(kResizeModes[mode]);
  }
  const json* images = reader.Any("init_images");
  if (images == nullptr || !images->is_array() || images->empty() ||
      !(*images)[0].is_string()) {
    return reader.Fail("init_images", "is not a list of a picture in base64");
  }
  if (images->size() > 1) {
    return FailAsLacking(reader, "init_images",
                         "starting from several pictures");
  }
  auto picture = DecodePicture((*images)[0].get_ref<const std::string&>());
  if (!picture.has_value()) {
    return reader.Fail("init_images", "has a picture that is not base64");
  }
  from.set_image(*std::move(picture));
  ReadA1111Mask(reader, request);
  ReadBorders(reader, request);
}

// txt2img starts from noise, or from latents that were kept, as from a picture.
void ReadStartOfText(FieldReader& reader, v1::GenerateRequest& request) {
  for (const char* of_picture :
       {"mask", "extend", "source_prompt", "inversion"}) {
    if (IsEmpty(reader.Any(of_picture))) continue;
    reader.Fail(of_picture,
                "is given, but txt2img has no picture that it is of");
  }
  if (IsEmpty(reader.Any("start_latents"))) return;
  request.mutable_image_to_image()->set_strength(
      reader.Number("denoising_strength", 0, 1).value_or(kStrength));
}

}  // namespace

absl::StatusOr<A1111Call> ReadA1111(A1111Task task, const json& body,
                                    const ModelNames& names) {
  FieldReader reader(body);
  A1111Call call;
  v1::GenerateRequest& request = call.request;
  ReadPrompts(reader, call);
  ReadSizes(reader, call);
  ReadSampler(reader, request);
  const auto eta = reader.Number("eta", 0, 1);
  // Clients send it whatever the sampler is.
  if (eta.has_value() && request.sampler() == v1::SAMPLER_DDIM) {
    request.set_eta(*eta);
  }
  ReadChurn(reader, request);
  ReadA1111Overrides(reader, names, request);
  RefuseWhatIsLacking(reader);
  ReadVariation(reader, request);
  call.parameters = body;
  if (task == A1111Task::kImageToImage) {
    ReadStart(reader, request);
  } else {
    ReadStartOfText(reader, request);
  }
  // A unit without a picture follows the one to start from.
  ReadControlNet(body, reader, call);
  if (task == A1111Task::kTextToImage) {
    ReadHires(reader, request);
    call.has_a1111s_hires = request.has_hires();
  }
  ReadOthersWords(reader, call);
  call.sends_images = reader.Truth("send_images").value_or(true);
  if (!reader.status().ok()) return reader.status();
  request.mutable_preview()->set_every(kPreviewEvery);
  request.mutable_preview()->set_decoder(v1::PREVIEW_DECODER_LINEAR);
  for (const char* picture : {"init_images", "mask"}) {
    if (call.parameters.contains(picture)) call.parameters[picture] = nullptr;
  }
  return call;
}

}  // namespace genzo
