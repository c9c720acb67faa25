#ifndef GENZO_CLIENT_LORA_OPTIONS_H_
#define GENZO_CLIENT_LORA_OPTIONS_H_

#include <string>
#include <vector>

#include "CLI/CLI.hpp"
#include "absl/strings/string_view.h"
#include "genzo/v1/image_generation.pb.h"

namespace genzo {

// `--lora NAME[:WEIGHT[:TEXT_ENCODER_WEIGHT]][@START-END][,BLOCK=WEIGHT...]`,
// any number of times: "detail", "ink:0.8", "ink:0.8:0@0.2-1",
// "ink:0.8,mid_block=0,down_blocks.1=0.5". A backslash takes the character
// behind it as a name's own: "v1\:final:0.8" is "v1:final" at 0.8.
class LoraOptions {
 public:
  // Adds the option to `command`, which this object outlives.
  explicit LoraOptions(CLI::App& command);

  void Set(v1::GenerateRequest& request) const;

 private:
  std::vector<std::string> loras_;
};

// Reads one of them; what is wrong with it, or nothing.
std::string ParseLora(const std::string& text, v1::LoraUse& lora);

// A name, of an adapter or a block, as ParseLora() reads it.
std::string EscapedLoraName(absl::string_view name);

}  // namespace genzo

#endif  // GENZO_CLIENT_LORA_OPTIONS_H_
