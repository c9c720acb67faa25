#include "gateway/a1111_controlnet.h"

#include <optional>
#include <string>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

namespace genzo {

using nlohmann::json;

namespace {

using Control = v1::ControlInput;
constexpr double kMostWeight = 2;
constexpr double kMostThreshold = 2000;

// What a unit may hold a picture as, by age of the client.
constexpr const char* kPictureFields[] = {"image", "input_image"};
constexpr const char* kLargeFields[] = {"image", "input_image", "mask",
                                        "mask_image"};

struct Module {
  const char* name;
  Control::Preprocessor preprocessor;
};
constexpr Module kModules[] = {
    {"none", Control::PREPROCESSOR_NONE},
    {"canny", Control::PREPROCESSOR_CANNY},
    {"tile_resample", Control::PREPROCESSOR_TILE},
    {"inpaint_only", Control::PREPROCESSOR_INPAINT},
    {"inpaint_global_harmonious", Control::PREPROCESSOR_INPAINT},
};

std::optional<Control::Preprocessor> PreprocessorOf(const std::string& module) {
  for (const Module& known : kModules) {
    if (absl::EqualsIgnoreCase(module, known.name)) return known.preprocessor;
  }
  return std::nullopt;
}

std::vector<std::string> ModuleNames() {
  std::vector<std::string> names;
  for (const Module& module : kModules) names.emplace_back(module.name);
  names.emplace_back("ip-adapter-auto");
  return names;
}

bool IsIpAdapter(const std::string& module) {
  return absl::StartsWithIgnoreCase(module, "ip-adapter");
}

// "control_v11p_sd15_canny [d14c016b]" without what is in brackets.
std::string NameOfModel(const std::string& model) {
  const size_t bracket = model.rfind(" [");
  return bracket != std::string::npos && absl::EndsWith(model, "]")
             ? model.substr(0, bracket)
             : model;
}

struct GivenPicture {
  const json* value = nullptr;  // null: there is none
  std::string field = kPictureFields[0];
};

// A text in base64, or an object that has it as "image".
GivenPicture PictureIn(const json& unit) {
  for (const char* field : kPictureFields) {
    const auto found = unit.find(field);
    // Clients say by "" that there is none.
    if (found == unit.end() || found->is_null() || *found == "") continue;
    if (!found->is_object()) return {&*found, field};
    const auto inner = found->find("image");
    if (inner == found->end() || inner->is_null() || *inner == "") continue;
    return {&*inner, Inside(field, "image")};
  }
  return {};
}

// The unit's picture, or that of the request.
void ReadPicture(const json& unit, const v1::GenerateRequest& request,
                 FieldReader& reader, v1::InputPicture& picture) {
  const GivenPicture given = PictureIn(unit);
  if (given.value == nullptr) {
    if (!request.image_to_image().image().empty()) {
      picture.set_data(request.image_to_image().image());
      return;
    }
    return reader.Fail(given.field, "is missing");
  }
  auto file = given.value->is_string()
                  ? DecodePicture(given.value->get_ref<const std::string&>())
                  : std::nullopt;
  if (!file.has_value()) {
    return reader.Fail(given.field, "is not a picture in base64");
  }
  picture.set_data(*std::move(file));
}

bool IsGiven(const json& object, const char* field) {
  const auto found = object.find(field);
  return found != object.end() && !found->is_null() && *found != "";
}

// A unit's own masks. That of the preprocessors which paint in is the request's
// here; of others the extension takes it in place of their picture.
void RefuseMasks(const json& unit, FieldReader& reader) {
  const auto image = unit.find("image");
  const bool has_mask =
      IsGiven(unit, "mask") || IsGiven(unit, "mask_image") ||
      (image != unit.end() && image->is_object() && IsGiven(*image, "mask"));
  if (has_mask) {
    reader.Fail("mask",
                "is given, but a unit has no mask of its own here: modules "
                "that paint in have that of their img2img request");
  }
  if (IsGiven(unit, "effective_region_mask")) {
    reader.Fail("effective_region_mask",
                "is given, but this server has no regions of units yet");
  }
}

// Numbers, or what the extension's page calls them.
void ReadMode(FieldReader& reader, Control& control) {
  const json* mode = reader.Any("control_mode");
  if (mode == nullptr) return;
  const std::string name = mode->is_string() ? mode->get<std::string>() : "";
  if (*mode == 2 ||
      absl::EqualsIgnoreCase(name, "ControlNet is more important")) {
    control.set_guess_mode(true);
  } else if (*mode != 0 && !absl::EqualsIgnoreCase(name, "Balanced")) {
    reader.Fail("control_mode",
                absl::StrCat(ShownValue(*mode),
                             " is not one of 0, Balanced, 2, ControlNet is "
                             "more important"));
  }
}

// Numbers, or what the extension's page and its older forms call them; of a
// picture of the unit's own.
v1::ResizeMode ReadResizeMode(FieldReader& reader) {
  constexpr std::pair<const char*, v1::ResizeMode> kModes[] = {
      {"Just Resize", v1::RESIZE_MODE_STRETCH},
      {"Crop and Resize", v1::RESIZE_MODE_CROP},
      {"Resize and Fill", v1::RESIZE_MODE_FILL},
      {"Inner Fit (Scale to Fit)", v1::RESIZE_MODE_CROP},
      {"Scale to Fit (Inner Fit)", v1::RESIZE_MODE_CROP},
      {"Outer Fit (Shrink to Fit)", v1::RESIZE_MODE_FILL},
      {"Envelope (Outer Fit)", v1::RESIZE_MODE_FILL}};
  const json* mode = reader.Any("resize_mode");
  if (mode == nullptr) return v1::RESIZE_MODE_CROP;
  const std::string text = mode->is_string() ? mode->get<std::string>() : "";
  for (size_t i = 0; i < std::size(kModes); ++i) {
    const bool is_number = i < 3 && *mode == i;
    if (is_number || absl::EqualsIgnoreCase(text, kModes[i].first)) {
      return kModes[i].second;
    }
  }
  reader.Fail("resize_mode",
              absl::StrCat(ShownValue(*mode),
                           " is not one of 0, Just Resize, 1, Crop and Resize, "
                           "2, Resize and Fill"));
  return v1::RESIZE_MODE_CROP;
}

void ReadControl(const json& unit, const std::string& module,
                 FieldReader& reader, Control& control) {
  const auto preprocessor = PreprocessorOf(module);
  if (!preprocessor.has_value()) {
    return reader.Fail("module",
                       absl::StrCat(ShownValue(module), " is not one of ",
                                    absl::StrJoin(ModuleNames(), ", "),
                                    "; send its hint with module none"));
  }
  control.set_preprocessor(*preprocessor);
  RefuseMasks(unit, reader);
  const auto start = reader.Number("guidance_start", 0, 1);
  const auto end = reader.Number("guidance_end", 0, 1);
  if (start.has_value()) control.set_start(*start);
  if (end.has_value()) control.set_end(*end);
  if (reader.Truth("guessmode").value_or(false)) control.set_guess_mode(true);
  // The request's own picture becomes the size as the request says.
  if (PictureIn(unit).value != nullptr) {
    control.set_resize_mode(ReadResizeMode(reader));
  }
  ReadMode(reader, control);
  if (*preprocessor != Control::PREPROCESSOR_CANNY) return;
  // Negative: the extension's own.
  const auto low = reader.Number("threshold_a", -1, kMostThreshold);
  const auto high = reader.Number("threshold_b", -1, kMostThreshold);
  if (low.value_or(-1) >= 0) {
    control.set_canny_low(static_cast<uint32_t>(*low));
  }
  if (high.value_or(-1) >= 0) {
    control.set_canny_high(static_cast<uint32_t>(*high));
  }
}

// What a unit of an image prompt cannot have.
void RefuseControlsOf(const json& unit, FieldReader& reader) {
  RefuseMasks(unit, reader);
  const bool whole = reader.Number("guidance_start", 0, 1).value_or(0) == 0 &&
                     reader.Number("guidance_end", 0, 1).value_or(1) == 1;
  if (!whole) {
    reader.Fail("guidance_end",
                "or guidance_start leaves steps out, but an IP-Adapter is at "
                "work in all of them");
  }
  Control balanced;
  ReadMode(reader, balanced);
  if (balanced.guess_mode()) {
    reader.Fail("control_mode",
                "is not Balanced, as an IP-Adapter's always is");
  }
}

void ReadUnit(const json& unit, FieldReader& reader,
              v1::GenerateRequest& request) {
  const std::string module = reader.Text("module").value_or("none");
  const std::string model = reader.Text("model").value_or("");
  if (model.empty() || absl::EqualsIgnoreCase(model, "None")) {
    return reader.Fail("model",
                       "is missing; GET /controlnet/model_list lists them");
  }
  const double weight = reader.Number("weight", 0, kMostWeight).value_or(1);
  if (IsIpAdapter(module)) {
    v1::ImagePrompt& prompt = *request.add_image_prompts();
    prompt.set_name(NameOfModel(model));
    prompt.set_weight(weight);
    RefuseControlsOf(unit, reader);
    return ReadPicture(unit, request, reader, *prompt.add_pictures());
  }
  Control& control = *request.add_controls();
  control.set_name(NameOfModel(model));
  control.set_weight(weight);
  ReadPicture(unit, request, reader, *control.mutable_picture());
  ReadControl(unit, module, reader, control);
}

// What is called in a unit as it is called in what the unit became, beside the
// picture, which units have under several names.
constexpr std::pair<const char*, const char*> kControlNames[] = {
    {"", ""},
    {"name", "model"},
    {"preprocessor", "module"},
    {"weight", "weight"},
    {"start", "guidance_start"},
    {"end", "guidance_end"},
    {"guess_mode", "control_mode"},
    {"resize_mode", "resize_mode"},
    {"canny_low", "threshold_a"},
    {"canny_high", "threshold_b"}};
constexpr std::pair<const char*, const char*> kPromptNames[] = {
    {"", ""}, {"name", "model"}, {"weight", "weight"}};

// Calls entry `index` of `list`, which the unit at `place` became, as the unit.
template <typename Fields>
void NameUnit(const std::string& list, int index, const std::string& place,
              const Fields& fields, FieldNames& names) {
  for (const auto& [field, own] : fields) {
    names.push_back({Inside(EntryOf(list, index), field), Inside(place, own)});
  }
}

// One unit, with its names in what it becomes.
void TakeUnit(const json& unit, const std::string& place, FieldReader& reader,
              v1::GenerateRequest& request, FieldNames& names) {
  const int controls = request.controls_size();
  const int prompts = request.image_prompts_size();
  const std::string picture = Inside(place, PictureIn(unit).field);
  ReadUnit(unit, reader, request);
  if (request.controls_size() > controls) {
    NameUnit("controls", controls, place, kControlNames, names);
    names.push_back(
        {Inside(EntryOf("controls", controls), "picture..."), picture});
  }
  if (request.image_prompts_size() > prompts) {
    NameUnit("image_prompts", prompts, place, kPromptNames, names);
    const std::string pictures =
        Inside(EntryOf("image_prompts", prompts), "pictures");
    names.push_back({pictures, picture});
    names.push_back({pictures + "[]...", picture});
  }
}

// Where units became entries of a list, it is called as they are.
void NameLists(const std::string& place, bool has_controls, bool has_prompts,
               FieldNames& names) {
  if (has_controls) {
    names.push_back({"controls", place});
    names.push_back({"controls.guess_mode", Inside(place, "control_mode")});
  }
  if (has_prompts) names.push_back({"image_prompts", place});
}

}  // namespace

bool IsControlNetScript(absl::string_view name) {
  return absl::EqualsIgnoreCase(name, "controlnet");
}

void ReadControlNetUnits(const std::string& place, const json& arguments,
                         FieldReader& reader, v1::GenerateRequest& request,
                         FieldNames& names) {
  if (!reader.IsList(place, arguments)) return;
  if (!reader.HasRoomFor(place, arguments)) return;
  const int controls = request.controls_size();
  const int prompts = request.image_prompts_size();
  for (size_t i = 0; i < arguments.size(); ++i) {
    const json& unit = arguments[i];
    // Clients switch off what they know of by false or null.
    if (unit.is_null() || unit == false) continue;
    const std::string own = EntryOf(place, i);
    if (!reader.IsObject(own, unit)) continue;
    FieldReader fields(reader, unit, own);
    if (fields.Truth("enabled").value_or(true)) {
      TakeUnit(unit, own, fields, request, names);
    }
    reader.Add(fields);
  }
  NameLists(place, request.controls_size() > controls,
            request.image_prompts_size() > prompts, names);
}

json WithoutPictures(json arguments) {
  if (!arguments.is_array()) return arguments;
  for (json& unit : arguments) {
    if (!unit.is_object()) continue;
    for (const char* field : kLargeFields) {
      if (unit.contains(field)) unit[field] = nullptr;
    }
  }
  return arguments;
}

json ControlNetModels(const v1::Model* model) {
  json names = json::array();
  if (model != nullptr) {
    for (const std::string& name : model->controlnets()) names.push_back(name);
    for (const std::string& name : model->ip_adapters()) names.push_back(name);
  }
  return {{"model_list", std::move(names)}};
}

json ControlNetModules() {
  const json none = {{"model_free", false}, {"sliders", json::array()}};
  json details = json::object();
  for (const std::string& name : ModuleNames()) details[name] = none;
  details["canny"]["sliders"] = json::array(
      {nullptr,
       {{"name", "Low Threshold"}, {"value", 100}, {"min", 0}, {"max", 2000}},
       {{"name", "High Threshold"},
        {"value", 200},
        {"min", 0},
        {"max", 2000}}});
  return {{"module_list", ModuleNames()}, {"module_detail", details}};
}

}  // namespace genzo
