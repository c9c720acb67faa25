#ifndef GENZO_CLIENT_CONTROL_OPTIONS_H_
#define GENZO_CLIENT_CONTROL_OPTIONS_H_

#include <string>
#include <vector>

#include "CLI/CLI.hpp"
#include "absl/status/status.h"
#include "genzo/v1/image_generation.pb.h"

namespace genzo {

// The options --control and --image-prompt of a command.
class ControlOptions {
 public:
  // This object outlives `command`'s parsing.
  void AddTo(CLI::App& command);

  // Adds what was given to the request, reading the pictures' files.
  // INVALID_ARGUMENT shows a value that cannot be read, NOT_FOUND names a file.
  absl::Status SetIn(v1::GenerateRequest& request) const;

 private:
  std::vector<std::string> controls_;
  std::vector<std::string> prompts_;
};

// "canny=room.jpg,canny,end=0.6:0.8" without the picture: name, preprocessor,
// range, weight; and the path. A weight is a number behind the last colon.
absl::Status ParseControl(const std::string& text, v1::ControlInput& control,
                          std::string& path);

}  // namespace genzo

#endif  // GENZO_CLIENT_CONTROL_OPTIONS_H_
