#ifndef GENZO_CLIENT_GENERATE_COMMAND_H_
#define GENZO_CLIENT_GENERATE_COMMAND_H_

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "CLI/CLI.hpp"
#include "absl/status/statusor.h"
#include "client/control_options.h"
#include "client/hires_options.h"
#include "client/inpainting_options.h"
#include "client/lora_options.h"
#include "client/picture_options.h"
#include "client/reconnection.h"
#include "client/status_report.h"
#include "client/steering_flags.h"
#include "genzo/v1/image_generation.pb.h"

namespace genzo {

// `genzo generate`: sends a prompt, shows how the picture develops, writes the
// files. Ctrl-C cancels the job on the server, unless --continue is given.
class GenerateCommand {
 public:
  // Adds the subcommand and its options to `app`, which this object outlives.
  // `server` is the global option's value when Run() is called, `first_rest`
  // how long a broken connection is left alone.
  GenerateCommand(CLI::App& app, const std::string& server,
                  absl::Duration first_rest = kFirstRest);

  bool parsed() const { return command_->parsed(); }
  ExitStatus Run();

  // The request that the options make. Draws a seed if none was given, so that
  // file names can carry it. INVALID_ARGUMENT for text that is not UTF-8,
  // NOT_FOUND for a picture to start from that cannot be read.
  absl::StatusOr<v1::GenerateRequest> MakeRequest() const;

 private:
  // Of fields that only some models take.
  void AddModelOptions();
  void SetModelFields(v1::GenerateRequest& request) const;
  // What it starts from; how the steps are walked; which previews come.
  absl::Status SetStart(v1::GenerateRequest& request) const;
  void SetWalk(v1::GenerateRequest& request) const;
  void SetPreviews(v1::PreviewPlan& preview) const;
  void AddPreviewOptions();
  // Makes a job that nobody waits for, and prints its id.
  ExitStatus Detach(std::chrono::system_clock::time_point deadline,
                    v1::GenerateRequest wanted) const;

  CLI::App* const command_;
  const std::string& server_;
  const absl::Duration first_rest_;
  LoraOptions loras_;
  // One member an option; absent options are left to the server.
  std::string prompt_;
  std::string negative_prompt_;
  std::string prompt_2_;
  std::string negative_prompt_2_;
  std::string prompt_3_;
  std::string negative_prompt_3_;
  std::string model_;
  std::string request_id_;
  std::string seed_;  // a number; empty or -1: drawn
  std::optional<uint32_t> image_count_;
  std::optional<uint32_t> width_;
  std::optional<uint32_t> height_;
  std::optional<uint32_t> steps_;
  std::optional<double> guidance_scale_;
  std::optional<double> guidance_rescale_;
  std::optional<double> eta_;
  std::optional<uint32_t> clip_skip_;
  std::vector<uint32_t> original_size_;
  std::vector<uint32_t> crop_;
  std::vector<uint32_t> target_size_;
  std::optional<double> image_guidance_scale_;
  std::optional<uint32_t> noise_level_;
  std::optional<uint32_t> class_label_;
  std::optional<double> true_guidance_scale_;
  std::optional<uint32_t> max_sequence_length_;
  std::optional<double> refine_at_;
  std::optional<double> aesthetic_score_;
  std::optional<double> negative_aesthetic_score_;
  SteeringFlags steering_;
  std::string image_path_;
  std::optional<double> strength_;
  std::string resize_mode_;
  ControlOptions control_;
  InpaintingOptions inpainting_;
  std::string sampler_;
  std::vector<double> sigmas_;
  std::vector<uint32_t> timesteps_;
  std::string noise_generator_;
  std::string schedule_;
  std::optional<uint32_t> preview_every_;
  std::vector<std::string> preview_steps_;
  std::string preview_decoder_;
  std::optional<uint32_t> preview_side_;
  std::string preview_format_;
  bool no_previews_ = false;
  bool no_parameters_ = false;
  PictureOptions picture_options_;
  HiresOptions hires_;
  std::string format_;
  std::string output_folder_ = ".";
  bool detach_ = false;
  bool goes_on_ = false;
  double timeout_seconds_ = 0;
  bool json_ = false;
  bool no_art_ = false;
};

}  // namespace genzo

#endif  // GENZO_CLIENT_GENERATE_COMMAND_H_
