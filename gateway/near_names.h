#ifndef GENZO_GATEWAY_NEAR_NAMES_H_
#define GENZO_GATEWAY_NEAR_NAMES_H_

#include <set>
#include <string>

#include "absl/strings/string_view.h"
#include "google/protobuf/descriptor.h"

namespace genzo {

// What to say after "... is not a field of this" where it is known what was
// meant: "; did you mean steps?".
std::string MeantInstead(absl::string_view field);

// The same of the field that `name` is near to; nothing if it is to none.
// `known` are the fields that may be there. Of a field that is one of them and
// a message in `message`, what is inside is looked through too.
//
//   stepz             one letter off              steps
//   safety_policy     one begins or ends so       safety
//   text_gate_step    it is inside                guidance.text_gate_step
//
// Takes time with both lengths: for a few fields of a body. Pure.
std::string DidYouMean(absl::string_view name,
                       const std::set<std::string>& known,
                       const google::protobuf::Descriptor& message);

}  // namespace genzo

#endif  // GENZO_GATEWAY_NEAR_NAMES_H_
