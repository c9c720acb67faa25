#ifndef GENZO_CLIENT_LORA_OPTIONS_H_
#define GENZO_CLIENT_LORA_OPTIONS_H_

#include <string>
#include <vector>

#include "CLI/CLI.hpp"
#include "genzo/v1/image_generation.pb.h"

namespace genzo {

// `--lora NAME[:WEIGHT[:TEXT_ENCODER_WEIGHT]][@START-END][,BLOCK=WEIGHT...]`,
// any number of times: "detail", "ink:0.8", "ink:0.8:0@0.2-1",
// "ink:0.8,mid_block=0,down_blocks.1=0.5".
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

}  // namespace genzo

#endif  // GENZO_CLIENT_LORA_OPTIONS_H_
