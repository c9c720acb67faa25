#include "worker/weights/single_file/tiny_file.h"

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <system_error>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "worker/weights/mapped_tensors.h"
#include "worker/weights/single_file/name_rules.h"
#include "worker/weights/single_file/single_file.h"

namespace genzo {
namespace {

using nlohmann::json;

constexpr char kLayers[] = "decoder.layers.";

// Where the layers may lie, and the number of the first one with weights. The
// original counts the bounding of latents as one, diffusers does not.
struct Place {
  const char* prefix;
  int64_t first;
};
constexpr Place kPlaces[] = {
    {kLayers, 0}, {"taesd_decoder.", 1}, {"decoder.", 1}, {"", 1}};

const Place* FindPlace(const Entries& entries) {
  for (const Place& place : kPlaces) {
    if (entries.count(absl::StrCat(place.prefix, place.first, ".weight")) > 0) {
      return &place;
    }
  }
  return nullptr;
}

// "3.conv.0.weight" -> "decoder.layers.2.conv.0.weight". Names without such a
// number stay, so that loading tells of them.
std::string DiffusersName(const std::string& name, int64_t first) {
  const size_t end = name.find('.');
  int64_t layer = 0;
  if (end == std::string::npos ||
      !absl::SimpleAtoi(absl::string_view(name).substr(0, end), &layer) ||
      layer < first) {
    return name;
  }
  return absl::StrCat(kLayers, layer - first, name.substr(end));
}

// Behind the first convolution and its activation, levels of blocks: between
// two of them an upsampling without weights, then a convolution; behind the
// last one the convolution alone.
json ConfigOf(const Entries& entries) {
  const auto has = [&](int64_t layer, const char* what) {
    return entries.count(absl::StrCat(kLayers, layer, what)) > 0;
  };
  const auto& shape = entries.at(absl::StrCat(kLayers, 0, ".weight")).shape;
  json blocks = json::array();
  json widths = json::array();
  int64_t layer = 2;
  while (true) {
    int64_t count = 0;
    for (; has(layer, ".conv.0.weight"); ++layer) ++count;
    blocks.push_back(count);
    widths.push_back(shape.empty() ? 0 : shape[0]);
    if (has(layer, ".weight") || !has(layer + 1, ".weight")) break;
    layer += 2;
  }
  return {{"_class_name", "AutoencoderTiny"},
          {"latent_channels", shape.size() > 1 ? shape[1] : 0},
          {"decoder_block_out_channels", widths},
          {"num_decoder_blocks", blocks}};
}

}  // namespace

absl::StatusOr<ComponentFiles> OpenTinyDecoder(const std::string& path) {
  std::error_code ignored;
  if (std::filesystem::is_directory(path, ignored)) return ComponentFiles(path);
  const auto opened = OpenTensorFile(path);
  if (!opened.ok()) return opened.status();
  const std::shared_ptr<const TensorSource>& source = *opened;
  const Place* const place = FindPlace(source->entries());
  if (place == nullptr) {
    return absl::InvalidArgumentError(
        absl::StrCat(source->path(),
                     ": holds no decoder of a small autoencoder; it has no "
                     "tensor \"1.weight\" or \"",
                     kLayers, "0.weight\""));
  }
  const Entries own = WithPrefix(source->entries(), place->prefix);
  const absl::Status sound = CheckDepths(own, source->path());
  if (!sound.ok()) return sound;
  TensorRecipes recipes;
  for (const auto& entry : own) {
    recipes[DiffusersName(entry.first, place->first)] = {
        .pieces = {{absl::StrCat(place->prefix, entry.first)}}};
  }
  auto tensors = MappedTensors::Create(source, std::move(recipes));
  if (!tensors.ok()) return tensors.status();
  const std::string config = ConfigOf((*tensors)->entries()).dump(2);
  return ComponentFiles(path, {{"config.json", config}}, *std::move(tensors),
                        /*folder=*/"");
}

}  // namespace genzo
