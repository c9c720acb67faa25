#include "server/resolve/controls.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

namespace genzo {
namespace {

constexpr int kMaxControls = 8;
constexpr int kMaxPrompts = 4;
constexpr int kMaxPictures = 8;  // of one prompt
constexpr double kMaxWeight = 2;
constexpr uint32_t kMaxThreshold = 2000;
constexpr uint32_t kDefaultLow = 100;
constexpr uint32_t kDefaultHigh = 200;
constexpr size_t kMaxNameBytes = 255;
constexpr char kControls[] = "controls";
constexpr char kGuessMode[] = "controls.guess_mode";
constexpr char kImagePrompts[] = "image_prompts";

// Of a network beside the model, one of `known` once that is told.
void CheckName(const std::string& field, const std::string& name,
               const google::protobuf::RepeatedPtrField<std::string>& known,
               const v1::Model& model, Violations& violations) {
  violations.CheckText(field, name, kMaxNameBytes);
  if (name.empty() || name.size() > kMaxNameBytes) {
    if (name.empty()) violations.Add(field, absl::StrCat(field, " is empty"));
    return;
  }
  // A model that was never loaded has not told what fits it.
  if (model.tasks().empty() ||
      std::find(known.begin(), known.end(), name) != known.end()) {
    return;
  }
  violations.Add(
      field, absl::StrCat(field, " \"", name, "\" is none that fits model \"",
                          model.id(), "\"; those are: ",
                          known.empty() ? "none" : absl::StrJoin(known, ", ")));
}

void ResolveRange(const std::string& field, v1::ControlInput& control,
                  Violations& violations) {
  if (!control.has_start()) control.set_start(0);
  if (!control.has_end()) control.set_end(1);
  violations.CheckRange(field + ".start", control.start(), 0.0, 1.0);
  violations.CheckRange(field + ".end", control.end(), 0.0, 1.0);
  if (control.start() >= control.end()) {
    violations.Add(field + ".end",
                   absl::StrCat(field, ".end ", ShortestDigits(control.end()),
                                " is not over ", field, ".start ",
                                ShortestDigits(control.start())));
  }
}

void ResolvePreprocessor(const std::string& field,
                         const v1::GenerateRequest& request,
                         v1::ControlInput& control, Violations& violations) {
  using Control = v1::ControlInput;
  const std::string preprocessor = field + ".preprocessor";
  violations.CheckEnum(preprocessor, control.preprocessor(),
                       *Control::Preprocessor_descriptor());
  if (control.preprocessor() == Control::PREPROCESSOR_UNSPECIFIED) {
    control.set_preprocessor(Control::PREPROCESSOR_NONE);
  }
  if (control.preprocessor() == Control::PREPROCESSOR_INPAINT &&
      !request.inpainting().has_mask() && !request.has_outpainting()) {
    violations.Add(preprocessor,
                   absl::StrCat(preprocessor,
                                " PREPROCESSOR_INPAINT needs inpainting.mask "
                                "or outpainting"));
  }
  if (control.preprocessor() != Control::PREPROCESSOR_CANNY) return;
  if (!control.has_canny_low()) control.set_canny_low(kDefaultLow);
  if (!control.has_canny_high()) {
    control.set_canny_high(std::max(kDefaultHigh, control.canny_low()));
  }
  violations.CheckRange(field + ".canny_low", control.canny_low(), 0u,
                        kMaxThreshold);
  violations.CheckRange(field + ".canny_high", control.canny_high(),
                        control.canny_low(), kMaxThreshold);
}

void ResolveControl(const std::string& field, const v1::Model& model,
                    const RequestLimits& limits,
                    const v1::GenerateRequest& request,
                    v1::ControlInput& control, Violations& violations) {
  CheckName(field + ".name", control.name(), model.controlnets(), model,
            violations);
  violations.ResolvePicture(field + ".picture",
                            static_cast<size_t>(limits.max_image_bytes),
                            *control.mutable_picture());
  violations.CheckEnum(field + ".resize_mode", control.resize_mode(),
                       *v1::ResizeMode_descriptor());
  if (control.resize_mode() == v1::RESIZE_MODE_UNSPECIFIED) {
    // As the picture's, which is resolved before it.
    const v1::ResizeMode its = request.image_to_image().resize_mode();
    control.set_resize_mode(std::max(its, v1::RESIZE_MODE_CROP));
  }
  ResolvePreprocessor(field, request, control, violations);
  if (!control.has_weight()) control.set_weight(1);
  violations.CheckRange(field + ".weight", control.weight(), 0.0, kMaxWeight);
  ResolveRange(field, control, violations);
  if (control.guess_mode()) violations.CheckTaken(kGuessMode, model);
}

void ResolvePrompt(const std::string& field, const v1::Model& model,
                   const RequestLimits& limits, v1::ImagePrompt& prompt,
                   Violations& violations) {
  CheckName(field + ".name", prompt.name(), model.ip_adapters(), model,
            violations);
  const std::string pictures = field + ".pictures";
  if (prompt.pictures().empty()) {
    violations.Add(pictures, absl::StrCat(pictures, " is empty"));
  }
  violations.CheckCount(pictures, prompt.pictures_size(), kMaxPictures);
  for (int i = 0; i < std::min(prompt.pictures_size(), kMaxPictures); ++i) {
    violations.ResolvePicture(absl::StrCat(pictures, "[", i, "]"),
                              static_cast<size_t>(limits.max_image_bytes),
                              *prompt.mutable_pictures(i));
  }
  if (!prompt.has_weight()) prompt.set_weight(1);
  violations.CheckRange(field + ".weight", prompt.weight(), 0.0, kMaxWeight);
}

}  // namespace

void ResolveControls(const v1::Model& model, const RequestLimits& limits,
                     v1::GenerateRequest& request, Violations& violations) {
  violations.CheckCount(kControls, request.controls_size(), kMaxControls);
  violations.CheckCount(kImagePrompts, request.image_prompts_size(),
                        kMaxPrompts);
  if (!request.controls().empty()) violations.CheckTaken(kControls, model);
  if (!request.image_prompts().empty()) {
    violations.CheckTaken(kImagePrompts, model);
  }
  for (int i = 0; i < std::min(request.controls_size(), kMaxControls); ++i) {
    ResolveControl(absl::StrCat(kControls, "[", i, "]"), model, limits, request,
                   *request.mutable_controls(i), violations);
  }
  for (int i = 0; i < std::min(request.image_prompts_size(), kMaxPrompts);
       ++i) {
    ResolvePrompt(absl::StrCat(kImagePrompts, "[", i, "]"), model, limits,
                  *request.mutable_image_prompts(i), violations);
  }
}

}  // namespace genzo
