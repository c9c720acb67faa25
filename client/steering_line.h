#ifndef GENZO_CLIENT_STEERING_LINE_H_
#define GENZO_CLIENT_STEERING_LINE_H_

#include "client/command_writer.h"
#include "genzo/v1/image_generation.pb.h"

namespace genzo {

// Writes the options for what steers a picture besides its prompt (masks,
// adapters, guidance, variations, a second pass), and takes what they say out
// of the request. Picture files are called FILE.
void WriteSteering(v1::GenerateRequest& request, CommandWriter& writer);

}  // namespace genzo

#endif  // GENZO_CLIENT_STEERING_LINE_H_
