#include "worker/vision/clip_image_processor.h"

#include <algorithm>
#include <string>

#include "ATen/ops/empty.h"
#include "absl/strings/str_cat.h"
#include "worker/weights/json_config.h"

namespace genzo {
namespace {

constexpr auto kInvalid = absl::StatusCode::kInvalidArgument;

// PIL's numbers.
std::optional<ResamplingFilter> FilterOf(int64_t resample) {
  switch (resample) {
    case 1:
      return ResamplingFilter::kLanczos;
    case 2:
      return ResamplingFilter::kBilinear;
    case 3:
      return ResamplingFilter::kBicubic;
    default:
      return std::nullopt;
  }
}

// A size that is said as 224, {"shortest_edge": 224} or {"height": 224,
// "width": 224}.
struct SaidSize {
  int64_t shortest_edge = 0;
  int64_t height = 0, width = 0;
};

SaidSize ReadSize(JsonConfig& json, const std::string& key,
                  int64_t default_value) {
  if (!json.Has(key) || !json.object()[key].is_object()) {
    return {.shortest_edge = json.Int(key, default_value, /*min=*/1)};
  }
  JsonConfig size(json.object()[key], absl::StrCat(json.name(), ": ", key));
  const SaidSize said = {.shortest_edge = size.Int("shortest_edge", 0),
                         .height = size.Int("height", 0),
                         .width = size.Int("width", 0)};
  if (!size.status().ok() ||
      (said.shortest_edge == 0) == (said.height == 0 || said.width == 0)) {
    json.Fail(kInvalid, key,
              "is neither a shortest_edge nor a height and a width");
  }
  return said;
}

void RequireOn(JsonConfig& json, const std::string& key) {
  if (!json.Bool(key, true)) {
    json.Fail(absl::StatusCode::kUnimplemented, key, "is not supported");
  }
}

void ReadChannels(JsonConfig& json, const std::string& key,
                  std::array<float, 3>& channels) {
  const std::vector<float> said = json.Floats(key);
  if (!json.Has(key)) return;
  if (said.size() != 3) return json.Fail(kInvalid, key, "is not three numbers");
  std::copy(said.begin(), said.end(), channels.begin());
}

// The settings of `files`; nothing if there are none. transformers 5 writes
// those of a processor that has a tokenizer, too, one level deeper.
absl::StatusOr<std::optional<JsonConfig>> ReadSettings(
    const ComponentFiles& files) {
  const TextFile own = files.At("preprocessor_config.json");
  if (own.Exists()) return JsonConfig::ReadFile(own);
  const TextFile all = files.At("processor_config.json");
  if (!all.Exists()) return std::nullopt;
  auto json = JsonConfig::ReadFile(all);
  if (!json.ok()) return json.status();
  constexpr char kKey[] = "image_processor";
  if (!json->Has(kKey)) return std::nullopt;
  if (!json->object()[kKey].is_object()) {
    json->Fail(kInvalid, kKey, "is not an object");
    return json->status();
  }
  return JsonConfig(json->object()[kKey],
                    absl::StrCat(json->name(), ": ", kKey));
}

}  // namespace

ClipImageProcessor::ClipImageProcessor(int64_t image_size)
    : image_size_(image_size), shortest_edge_(image_size) {}

absl::StatusOr<ClipImageProcessor> ClipImageProcessor::Read(
    const ComponentFiles& files, int64_t image_size) {
  ClipImageProcessor processor(image_size);
  auto settings = ReadSettings(files);
  if (!settings.ok()) return settings.status();
  if (!settings->has_value()) return processor;
  std::optional<JsonConfig>& json = *settings;
  for (const char* key : {"do_resize", "do_rescale", "do_normalize"}) {
    RequireOn(*json, key);
  }
  const auto filter = FilterOf(json->Int("resample", 3));
  if (filter.has_value()) {
    processor.filter_ = *filter;
  } else {
    json->Fail(absl::StatusCode::kUnimplemented, "resample",
               "is none of 1 (Lanczos), 2 (bilinear), 3 (bicubic)");
  }
  const SaidSize size = ReadSize(*json, "size", 224);
  const bool crops = json->Bool("do_center_crop", true);
  const SaidSize crop = crops ? ReadSize(*json, "crop_size", 224) : size;
  processor.shortest_edge_ = size.shortest_edge;
  // A picture that is not square keeps its proportions by shortest_edge alone,
  // and then only a crop makes it square.
  const auto square = [&](const SaidSize& said) {
    return said.shortest_edge == image_size ||
           (said.height == image_size && said.width == image_size);
  };
  if (!square(crop) || (!crops && size.shortest_edge > 0)) {
    json->Fail(kInvalid, crops ? "crop_size" : "size",
               absl::StrCat("does not give the encoder's ", image_size, "x",
                            image_size, " pixels"));
  } else if (size.shortest_edge > 0 ? size.shortest_edge < image_size
                                    : !square(size)) {
    json->Fail(absl::StatusCode::kUnimplemented, "size",
               absl::StrCat("is not supported with a crop to ", image_size));
  }
  processor.rescale_factor_ =
      json->Number("rescale_factor", processor.rescale_factor_, 0, 1);
  ReadChannels(*json, "image_mean", processor.mean_);
  ReadChannels(*json, "image_std", processor.std_);
  if (std::count(processor.std_.begin(), processor.std_.end(), 0) > 0) {
    json->Fail(kInvalid, "image_std", "has a zero");
  }
  if (!json->status().ok()) return json->status();
  return processor;
}

at::Tensor ClipImageProcessor::Process(const Pixels& pixels) const {
  const int side = static_cast<int>(image_size_);
  ResamplingPlan plan = {.filter = filter_,
                         .scaled_width = side,
                         .scaled_height = side,
                         .width = side,
                         .height = side};
  if (shortest_edge_ > 0) {
    const int64_t shorter = std::min(pixels.width, pixels.height);
    plan.scaled_width = shortest_edge_ * pixels.width / shorter;
    plan.scaled_height = shortest_edge_ * pixels.height / shorter;
    plan.left = (plan.scaled_width - side) / 2;
    plan.top = (plan.scaled_height - side) / 2;
  }
  const Pixels cut = Resample(pixels, plan);
  at::Tensor result = at::empty({1, 3, side, side}, at::kFloat);
  float* out = result.mutable_data_ptr<float>();
  const size_t places = size_t{1} * side * side;
  for (int c = 0; c < 3; ++c) {
    for (size_t i = 0; i < places; ++i) {
      const auto byte = static_cast<unsigned char>(cut.rgb[3 * i + c]);
      const float scaled = static_cast<float>(byte * rescale_factor_);
      out[c * places + i] = (scaled - mean_[c]) / std_[c];
    }
  }
  return result;
}

}  // namespace genzo
