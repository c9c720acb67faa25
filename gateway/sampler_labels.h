#ifndef GENZO_GATEWAY_SAMPLER_LABELS_H_
#define GENZO_GATEWAY_SAMPLER_LABELS_H_

#include <optional>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "base/sampler_spelling.h"
#include "gateway/json_body.h"

// Samplers and schedules by the names that people write at the doors. All
// functions are pure.

namespace genzo {

// As FindSampler() and FindSchedule(), and by the proto's whole names, as in
// "SAMPLER_DPMPP_2M".
std::optional<SamplerChoice> SamplerNamed(absl::string_view name);
std::optional<v1::NoiseSchedule> ScheduleNamed(absl::string_view name);

// A field of a body that is one of those names. `none` are words for no name,
// `where` tells who lists the names.
struct NameField {
  std::string name;
  std::vector<absl::string_view> none = {};
  std::string where = "";
};
// nullopt if there is no name, or a fault.
std::optional<SamplerChoice> ReadSamplerName(FieldReader& reader,
                                             const NameField& field);
std::optional<v1::NoiseSchedule> ReadScheduleName(FieldReader& reader,
                                                  const NameField& field);

// As A1111 writes them: "DPM++ 2M", "Euler a", "Karras"; "Automatic" for the
// model's own schedule. Of samplers that share A1111's name all but one have
// the proto's: "FLOW EULER".
std::string LabelOf(v1::Sampler sampler);
std::string LabelOf(v1::NoiseSchedule schedule);

}  // namespace genzo

#endif  // GENZO_GATEWAY_SAMPLER_LABELS_H_
