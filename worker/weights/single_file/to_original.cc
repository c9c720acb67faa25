// A component under the names that it has in a single file.

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "worker/weights/mapped_tensors.h"
#include "worker/weights/single_file/derived_config.h"
#include "worker/weights/single_file/file_parts.h"
#include "worker/weights/single_file/original_names.h"
#include "worker/weights/single_file/single_file.h"

namespace genzo {

absl::StatusOr<std::shared_ptr<const TensorSource>> ToOriginalNames(
    const std::shared_ptr<const TensorSource>& source,
    const std::string& family, const std::string& component,
    const std::string& class_name) {
  const Entries& entries = source->entries();
  const auto unknown = [&] {
    return absl::UnimplementedError(
        absl::StrCat(source->path(), ": component ", component,
                     " has no place in a single file"));
  };
  if (SignsOf(class_name) == nullptr) return unknown();
  const absl::Status sound = CheckDepths(entries, source->path());
  if (!sound.ok()) return sound;
  std::string prefix;
  bool open_clip = false;
  if (component == "unet" || component == "transformer") {
    prefix = "model.diffusion_model.";
  } else if (component == "vae") {
    prefix = "first_stage_model.";
  } else {
    for (const EncoderPlace& place : EncoderPlaces()) {
      if (family == place.family && component == place.component) {
        prefix = place.prefix;
      }
    }
    open_clip = absl::EndsWith(prefix, ".model.");
  }
  if (prefix.empty()) return unknown();
  if (!open_clip && absl::StartsWith(class_name, "CLIPTextModel")) {
    return MappedTensors::Create(source, ToOriginal({}, entries, prefix));
  }
  if (!open_clip) {
    return MappedTensors::Create(
        source, ToOriginal(RulesOf(class_name, entries), entries, prefix));
  }
  const int64_t layers = CountBlocks(entries, "text_model.encoder.layers.");
  const bool projection = class_name == "CLIPTextModelWithProjection";
  TensorRecipes recipes =
      ToOriginal(OpenClipNames(layers, projection), entries, prefix);
  recipes.erase(prefix + "text_model.embeddings.position_ids");
  if (!projection && layers == kSd2Layers) {
    // Readers take what the last of 24 layers but one says.
    const std::string last =
        absl::StrCat(prefix, "transformer.resblocks.", layers - 1, ".");
    const std::string unused =
        absl::StrCat(prefix, "transformer.resblocks.", layers, ".");
    TensorRecipes copies;
    for (const auto& [name, recipe] : recipes) {
      if (!absl::StartsWith(name, last)) continue;
      copies[unused + name.substr(last.size())] = recipe;
    }
    recipes.merge(copies);
  }
  return MappedTensors::Create(source, std::move(recipes));
}

}  // namespace genzo
