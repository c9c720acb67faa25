#include "gateway/a1111_words.h"

#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "gateway/field_names.h"
#include "gateway/loras.h"
#include "gateway/model_fields.h"
#include "gateway/picture_fields.h"
#include "gateway/steering_fields.h"

namespace genzo {
namespace {

// The other doors' names that would be lost here, and A1111's for the same.
// Those that A1111's clients are known to send for other servers' sake, as
// clip_skip, are not among them.
constexpr std::pair<const char*, const char*> kCalledOtherwise[] = {
    {"num_inference_steps", "steps"},
    {"strength", "denoising_strength"},
    {"mask_fill", "inpainting_fill"},
    {"only_masked", "inpaint_full_res"},
    {"mask_padding", "inpaint_full_res_padding"},
    {"invert_mask", "inpainting_mask_invert"}};

void RefuseWhatIsCalledOtherwise(FieldReader& reader) {
  for (const auto& [name, own] : kCalledOtherwise) {
    if (reader.Any(name) == nullptr) continue;
    reader.Fail(name, absl::StrCat("is called ", own, " here"));
  }
}

// The service's faults of `field`, which the body has by the proto's name, are
// told by it.
void NameAsGiven(const std::string& field, FieldNames& names) {
  names.push_back({field, field});
  const auto* inside =
      v1::GenerateRequest::descriptor()->FindFieldByName(field)->message_type();
  for (int i = 0; inside != nullptr && i < inside->field_count(); ++i) {
    const std::string path =
        absl::StrCat(Inside(field, inside->field(i)->name()), kInside);
    names.push_back({path, path});
  }
}

// What both of two names ask for would be the later one's, the other lost.
void RefuseTwins(FieldReader& reader, A1111Call& call) {
  struct Twin {
    const char* name;
    const char* own;
    bool is_asked_for;  // by `own`
  };
  const v1::GenerateRequest& request = call.request;
  const bool varies = request.variation().strength() > 0;
  for (const Twin& twin :
       {Twin{"hires", "enable_hr", request.has_hires()},
        Twin{"variation", varies ? "subseed_strength" : "seed_resize_from_w",
             request.has_variation()},
        Twin{"churn", "s_churn", request.has_churn()},
        Twin{"image_guidance_scale", "image_cfg_scale",
             request.has_image_guidance_scale()}}) {
    if (reader.Any(twin.name) == nullptr) continue;
    if (twin.is_asked_for) {
      reader.Fail(twin.name, absl::StrCat("is given, but so is ", twin.own,
                                          ", A1111's name for the same"));
    } else {
      NameAsGiven(twin.name, call.names);
    }
  }
}

// Entries of `list` from `first` on are those that the body has in a list of
// that name, behind what A1111's own places gave. `inside` of one has names of
// its own.
void NameLater(const std::string& list, int first, int count,
               const FieldNames& inside, FieldNames& names) {
  for (int i = first; first > 0 && i < count; ++i) {
    const std::string proto = EntryOf(list, i);
    const std::string own = EntryOf(list, i - first);
    names.push_back({proto + "...", own + "..."});
    for (const FieldName& name : inside) {
      names.push_back({Inside(proto, name.proto), Inside(own, name.own)});
    }
  }
}

// Stands before A1111's setting of the format, which may be of all requests.
void ReadFile(FieldReader& reader, v1::GenerateRequest& request) {
  const bool has_format = reader.Any("output_format") != nullptr;
  if (!has_format && reader.Any("output_compression") == nullptr) return;
  v1::OutputOptions& output = *request.mutable_output();
  const v1::ImageFormat setting = output.format();
  ReadFileFormat(reader, output);
  if (!has_format) output.set_format(setting);
}

}  // namespace

void ReadOthersWords(FieldReader& reader, A1111Call& call) {
  v1::GenerateRequest& request = call.request;
  RefuseWhatIsCalledOtherwise(reader);
  RefuseTwins(reader, call);
  const int controls = request.controls_size();
  const int prompts = request.image_prompts_size();
  const int loras = request.loras_size();
  ReadPictureFields(reader, request);
  ReadModelFields(reader, request);
  ReadSteeringFields(reader, request);
  ReadLoras(reader, request);
  NameLater("controls", controls, request.controls_size(),
            {{"picture...", "image"}}, call.names);
  NameLater("image_prompts", prompts, request.image_prompts_size(),
            {{"pictures", "images"}, {"pictures[]...", "images[]"}},
            call.names);
  NameLater("loras", loras, request.loras_size(), {}, call.names);
  if (const auto share = reader.Number("guidance_rescale", 0, 1)) {
    request.set_guidance_rescale(*share);
  }
  ReadFile(reader, request);
}

}  // namespace genzo
