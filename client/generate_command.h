#ifndef GENZO_CLIENT_GENERATE_COMMAND_H_
#define GENZO_CLIENT_GENERATE_COMMAND_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "CLI/CLI.hpp"
#include "client/status_report.h"
#include "genzo/v1/image_generation.pb.h"

namespace genzo {

// `genzo generate`: sends a prompt, shows how the picture develops, writes the
// files. Ctrl-C cancels the job on the server.
class GenerateCommand {
 public:
  // Adds the subcommand and its options to `app`, which this object outlives.
  // `server` is the global option's value when Run() is called.
  GenerateCommand(CLI::App& app, const std::string& server);

  bool parsed() const { return command_->parsed(); }
  ExitStatus Run();

  // The request that the options make. Draws a seed if none was given, so that
  // file names can carry it.
  v1::GenerateRequest MakeRequest() const;

 private:
  CLI::App* const command_;
  const std::string& server_;
  // One member an option; absent options are left to the server.
  std::string prompt_;
  std::string negative_prompt_;
  std::string model_;
  std::string request_id_;
  std::optional<uint64_t> seed_;
  std::optional<uint32_t> image_count_;
  std::optional<uint32_t> width_;
  std::optional<uint32_t> height_;
  std::optional<uint32_t> steps_;
  std::optional<double> guidance_scale_;
  double guidance_rescale_ = 0;
  double eta_ = 0;
  uint32_t clip_skip_ = 0;
  int sampler_ = 0;
  uint32_t preview_every_ = 0;
  std::vector<uint32_t> preview_steps_;
  int preview_decoder_ = 0;
  uint32_t preview_side_ = 0;
  int preview_format_ = 0;
  bool no_previews_ = false;
  bool no_parameters_ = false;
  int format_ = 0;
  std::string output_folder_ = ".";
  double timeout_seconds_ = 0;
  bool json_ = false;
  bool no_art_ = false;
};

}  // namespace genzo

#endif  // GENZO_CLIENT_GENERATE_COMMAND_H_
