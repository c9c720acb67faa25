#include "worker/engine/control_hints.h"

#include "ATen/TensorOperators.h"
#include "ATen/ops/masked_fill.h"
#include "absl/strings/str_cat.h"
#include "base/errors.h"
#include "worker/engine/source_picture.h"
#include "worker/media/canny.h"
#include "worker/media/fitting.h"
#include "worker/media/picture_decoder.h"
#include "worker/media/pixel_tensors.h"
#include "worker/pipeline/ip_adapter.h"

namespace genzo {
namespace {

// Faults name `field`.
absl::StatusOr<Pixels> Read(const std::string& file, const std::string& field) {
  auto pixels = DecodePicture(
      file, {.max_bytes = kMaxSourceBytes, .max_pixels = kMaxSourcePixels});
  if (!pixels.ok()) return FaultOfField(field, pixels.status());
  return pixels;
}

// The control's picture at the request's size; of one beside `canvas`, if it
// has one. The picture that is painted around lies in its hint where it does in
// the result.
absl::StatusOr<Pixels> ReadFitted(const v1::ControlInput& control,
                                  const std::string& field,
                                  const v1::GenerateRequest& request,
                                  const MaskedCanvas* canvas) {
  const std::string& file = control.picture().data();
  const ResizeMode mode = ResizeModeOf(control.resize_mode());
  const auto pixels = Read(file, field + ".picture.data");
  if (!pixels.ok()) return pixels.status();
  const auto width = static_cast<int>(request.width());
  const auto height = static_cast<int>(request.height());
  if (canvas != nullptr && request.has_outpainting() &&
      file == request.image_to_image().image()) {
    return FitToSize(canvas->pixels, width, height, mode);
  }
  return canvas != nullptr && request.inpainting().only_masked()
             ? SeenInRegion(*canvas, *pixels, mode, width, height)
             : FitToSize(*pixels, width, height, mode);
}

absl::Status NoNetworks() {
  return absl::NotFoundError("there are no such networks");
}

// What a job may be told of a network that it cannot have.
absl::Status OfNetwork(const absl::Status& status, const std::string& field) {
  return FaultOfField(field, absl::IsNotFound(status)
                                 ? absl::InvalidArgumentError(status.message())
                                 : status);
}

at::Tensor FromZeroToOne(const Pixels& pixels) {
  return (ToTensor(pixels) + 1) / 2;
}

// What a control makes of its picture.
absl::StatusOr<at::Tensor> HintOf(const v1::ControlInput& control,
                                  const std::string& field,
                                  const EncodeTask& task,
                                  const MaskedCanvas* canvas) {
  const auto picture = ReadFitted(control, field, task.request, canvas);
  if (!picture.ok()) return picture.status();
  switch (control.preprocessor()) {
    case v1::ControlInput::PREPROCESSOR_CANNY:
      return FromZeroToOne(CannyEdges(*picture,
                                      static_cast<int>(control.canny_low()),
                                      static_cast<int>(control.canny_high())));
    case v1::ControlInput::PREPROCESSOR_INPAINT:
      // What is painted anew is marked by -1.
      return at::masked_fill(FromZeroToOne(*picture), task.mask > 0.5, -1);
    default:
      return FromZeroToOne(*picture);
  }
}

}  // namespace

absl::StatusOr<std::vector<ControlHint>> ReadControlHints(
    const EncodeTask& task, const PipelineTraits& traits,
    const MaskedCanvas* canvas, SideNetworks* networks) {
  const v1::GenerateRequest& request = task.request;
  std::vector<ControlHint> hints;
  for (int i = 0; i < request.controls_size(); ++i) {
    const v1::ControlInput& control = request.controls(i);
    const std::string field = absl::StrCat("controls[", i, "]");
    absl::StatusOr<std::shared_ptr<const ControlNetwork>> network =
        NoNetworks();
    if (networks != nullptr) {
      network = networks->Control(control.name(), traits.control_fit);
    }
    if (!network.ok()) return OfNetwork(network.status(), field + ".name");
    auto hint = HintOf(control, field, task, canvas);
    if (!hint.ok()) return hint.status();
    hints.push_back({.network = *std::move(network),
                     .picture = *std::move(hint),
                     .weight = control.weight(),
                     .begin = control.start(),
                     .end = control.end(),
                     .guess = control.guess_mode()});
  }
  return hints;
}

absl::StatusOr<std::vector<PictureInput>> ReadImagePrompts(
    const v1::GenerateRequest& request, const PipelineTraits& traits,
    SideNetworks* networks) {
  std::vector<PictureInput> inputs;
  for (int i = 0; i < request.image_prompts_size(); ++i) {
    const v1::ImagePrompt& prompt = request.image_prompts(i);
    const std::string field = absl::StrCat("image_prompts[", i, "]");
    absl::StatusOr<std::shared_ptr<const IpAdapter>> adapter = NoNetworks();
    if (networks != nullptr) {
      adapter = networks->Adapter(prompt.name(), traits.picture_fit);
    }
    if (!adapter.ok()) return OfNetwork(adapter.status(), field + ".name");
    PictureInput input = {.adapter = *std::move(adapter),
                          .pictures = {},
                          .weight = prompt.weight()};
    for (int j = 0; j < prompt.pictures_size(); ++j) {
      const auto pixels = Read(prompt.pictures(j).data(),
                               absl::StrCat(field, ".pictures[", j, "].data"));
      if (!pixels.ok()) return pixels.status();
      input.pictures.push_back(input.adapter->Process(*pixels));
    }
    inputs.push_back(std::move(input));
  }
  return inputs;
}

}  // namespace genzo
