#ifndef GENZO_CLIENT_COMMAND_LINE_H_
#define GENZO_CLIENT_COMMAND_LINE_H_

#include <string>
#include <vector>

#include "genzo/v1/image_generation.pb.h"
#include "genzo/v1/upscaling.pb.h"

namespace genzo {

// How a shell is told to paint a request again.
struct CommandLine {
  std::string command;  // "genzo generate 'a fox' --seed 7 ..."
  // Fields of the request that it has no options for, by name.
  std::vector<std::string> missing;
};

// Of a request as resolved, whose input pictures are not there any more: FILE
// stands for the one to start from. Pure.
CommandLine CommandLineOf(v1::GenerateRequest request);
// The same of "genzo upscale FILE ...".
CommandLine CommandLineOf(v1::UpscaleRequest request);

}  // namespace genzo

#endif  // GENZO_CLIENT_COMMAND_LINE_H_
