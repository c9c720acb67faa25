#ifndef GENZO_GATEWAY_ENUM_WORDS_H_
#define GENZO_GATEWAY_ENUM_WORDS_H_

#include <string>
#include <vector>

#include "google/protobuf/descriptor.h"
#include "nlohmann/json.hpp"

// Values of the proto's enums as people write them: "karras" for
// NOISE_SCHEDULE_KARRAS. All functions are pure.

namespace genzo {

// The words of an enum, without the one that says nothing. Empty where its
// first value is not called ..._UNSPECIFIED, so that there is no telling what
// its values' names begin with.
std::vector<std::string> WordsOf(const google::protobuf::EnumDescriptor& type);

// The field of `message` that JSON calls `name`, text_gate_step or
// textGateStep; null if there is none.
const google::protobuf::FieldDescriptor* FieldNamed(
    const google::protobuf::Descriptor& message, const std::string& name);

// Puts the proto's names for the words in `body`, which is to become a
// `message`, and in all that is inside. Samplers and schedules may be called as
// the doors call them, "Euler a". What is no word is left for protobuf to read
// or to refuse. Returns whether there were any.
bool SpellOutWords(const google::protobuf::Descriptor& message,
                   nlohmann::json& body);

}  // namespace genzo

#endif  // GENZO_GATEWAY_ENUM_WORDS_H_
