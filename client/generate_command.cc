#include "client/generate_command.h"

#include <algorithm>
#include <chrono>
#include <iostream>
#include <limits>
#include <map>
#include <random>
#include <set>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "base/proto_time.h"
#include "base/utf8.h"
#include "client/connection.h"
#include "client/event_printer.h"
#include "client/file_names.h"
#include "client/input_file.h"
#include "client/message_json.h"
#include "client/number_range.h"
#include "client/painting.h"
#include "client/picture_files.h"
#include "client/picture_sink.h"
#include "client/sampler_names.h"
#include "client/sampler_validator.h"
#include "genzo/v1/jobs.grpc.pb.h"

namespace genzo {
namespace {

constexpr uint32_t kDefaultPreviews = 5;  // of a run of 25 steps

// An option whose value is one of the names in `choices`.
template <typename T>
void AddChoice(CLI::App& command, const std::string& name, std::string& value,
               const std::map<std::string, T>& choices,
               const std::string& help) {
  std::set<std::string> names;
  for (const auto& [choice, _] : choices) names.insert(choice);
  command.add_option(name, value, help)
      ->transform(CLI::IsMember(names, CLI::ignore_case));
}

// The enum value of a choice; its zero if none was made.
template <typename Enum>
Enum Chosen(const std::map<std::string, int>& choices,
            const std::string& name) {
  return name.empty() ? Enum() : static_cast<Enum>(choices.at(name));
}

CLI::Validator Seed() {
  return CLI::Validator(
      [](const std::string& text) -> std::string {
        uint64_t seed = 0;
        if (text == "-1" || absl::SimpleAtoi(text, &seed)) return "";
        return absl::StrCat("\"", text, "\" is neither a number from 0 to ",
                            std::numeric_limits<uint64_t>::max(),
                            " nor -1, which draws one");
      },
      "UINT64");
}

CLI::Validator Step() {
  return CLI::Validator(
      [](const std::string& text) -> std::string {
        uint32_t step = 0;
        if (absl::SimpleAtoi(text, &step) && step > 0) return "";
        return absl::StrCat("\"", text, "\" is not a step, a number from 1");
      },
      "STEP");
}

absl::Status CheckText(const std::string& name, const std::string& text) {
  if (IsUtf8(text)) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat(
      name, " is not UTF-8: ", Printable(text),
      "; set the terminal to UTF-8, or convert the text with iconv"));
}

}  // namespace

GenerateCommand::GenerateCommand(CLI::App& app, const std::string& server,
                                 absl::Duration first_rest)
    : command_(app.add_subcommand("generate", "turn a prompt into pictures")),
      server_(server),
      first_rest_(first_rest),
      loras_(*command_) {
  CLI::App& c = *command_;
  c.add_option("prompt", prompt_, "what to paint")->required();
  c.add_option("-n,--negative", negative_prompt_, "what to stay away from");
  c.add_option("-m,--model", model_, "model id; see `genzo models`");
  c.add_option("-s,--seed", seed_, "noise seed; drawn if absent or -1")
      ->check(Seed());
  c.add_option("-c,--count", image_count_, "number of pictures");
  c.add_option("--width", width_,
               "width in pixels; without either side, the model's own "
               "size, or its pixels in the proportions of --image");
  c.add_option("--height", height_, "height in pixels");
  c.add_option("--steps", steps_, "denoising steps");
  c.add_option("-g,--guidance", guidance_scale_,
               "guidance scale; 1 or less turns guidance off");
  c.add_option("--guidance-rescale", guidance_rescale_, "0 to 1");
  c.option_defaults()->group("Start from a picture");
  auto* image = c.add_option("--image", image_path_,
                             "a PNG, JPEG or WebP file to start from");
  c.add_option("--strength", strength_,
               "how much of --image is painted anew, 0 to 1; 0.8 if absent")
      ->needs(image);
  std::set<std::string> resize_modes;
  for (const auto& [name, mode] : ResizeModeNames()) resize_modes.insert(name);
  c.add_option("--resize-mode", resize_mode_,
               "how an --image of other proportions becomes the size; crop if "
               "absent")
      ->needs(image)
      ->transform(CLI::IsMember(resize_modes, CLI::ignore_case));
  c.option_defaults()->group("Steps");
  c.add_option("--sampler", sampler_,
               "sampler, as `genzo models`, web UIs or diffusers spell it; may "
               "have the schedule behind it: \"DPM++ 2M Karras\"")
      ->check(SamplerSpelling());
  c.add_option("--schedule", schedule_,
               "noise levels, if not the model's own; spelled likewise")
      ->check(ScheduleSpelling());
  c.add_option("--sigmas", sigmas_,
               "noise levels of one's own, one a step, separated by commas")
      ->delimiter(',');
  c.add_option("--timesteps", timesteps_, "the same as trained timesteps")
      ->delimiter(',')
      ->excludes("--sigmas");
  AddChoice(c, "--noise", noise_generator_, NoiseGeneratorNames(),
            "whose random numbers the seed gives");
  c.add_option("--eta", eta_, "DDPM noise in DDIM, gamma of TCD, 0 to 1");
  c.add_option("--clip-skip", clip_skip_, "last text layers to leave out");
  c.option_defaults()->group("Follow pictures, paint parts");
  control_.AddTo(c);
  inpainting_.AddTo(c, image);
  c.option_defaults()->group("Of some models");
  AddModelOptions();
  c.option_defaults()->group("Steering");
  steering_.Add(c);
  c.option_defaults()->group("Larger");
  hires_.AddTo(c);
  c.option_defaults()->group("Previews");
  AddPreviewOptions();
  c.option_defaults()->group("Files");
  c.add_flag("--no-parameters", no_parameters_,
             "do not write prompt and seed into the file");
  picture_options_.AddTo(c);
  AddChoice(c, "--format", format_, FormatNames(),
            "file format of the pictures");
  c.add_option("-o,--output", output_folder_, kOutputHelp)
      ->capture_default_str();
  c.option_defaults()->group("The job");
  c.add_option("--request-id", request_id_,
               "a UUID: sent again, the same request is not painted again");
  auto* detach =
      c.add_flag("--detach", detach_,
                 "make the job and leave; prints its id for `genzo watch`");
  c.add_flag("--continue", goes_on_,
             "the job goes on if this program leaves or loses the server; "
             "`genzo watch` finds it")
      ->excludes(detach);
  c.add_option("--timeout", timeout_seconds_,
               "give up after so many seconds, also on a model that is "
               "loading, which is waited for")
      ->check(NumberRange(0.001, 1e6));
  c.add_flag("--json", json_,
             "a JSON object an event, or the job that --detach makes");
  c.add_flag("--no-art", no_art_, "no pictures in the terminal");
}

void GenerateCommand::AddModelOptions() {
  CLI::App& c = *command_;
  c.add_option("--prompt-2", prompt_2_,
               "what the second text encoder reads, if not the prompt");
  c.add_option("--negative-2", negative_prompt_2_, "likewise for --negative");
  c.add_option("--prompt-3", prompt_3_, "what the third text encoder reads");
  c.add_option("--negative-3", negative_prompt_3_, "likewise for --negative");
  c.add_option("--class", class_label_, "number of the class to paint");
  c.add_option("--true-guidance", true_guidance_scale_,
               "weight of --negative where --guidance is told to the model");
  c.add_option("--max-tokens", max_sequence_length_,
               "tokens that T5 reads of a text, 1 to 512");
  const auto add_pair = [&](const char* name, std::vector<uint32_t>& numbers,
                            const char* what) {
    c.add_option(name, numbers, what)->delimiter(',')->expected(2);
  };
  add_pair("--original-size", original_size_,
           "WIDTH,HEIGHT of the picture as the model is told");
  add_pair("--crop", crop_, "LEFT,TOP that was cut off, as it is told");
  add_pair("--target-size", target_size_,
           "WIDTH,HEIGHT that was aimed at, as it is told");
  c.add_option("--image-guidance", image_guidance_scale_,
               "how closely instructions keep to --image, from 1");
  c.add_option("--noise-level", noise_level_,
               "how much noise covers what the model sees of --image, from 0");
  c.add_option("--refine-at", refine_at_,
               "share of the walk after which the refiner takes over, 0 to 1");
  c.add_option("--aesthetic-score", aesthetic_score_,
               "0 to 10, for the refiner");
  c.add_option("--negative-aesthetic-score", negative_aesthetic_score_,
               "the same for the negative prompt");
}

void GenerateCommand::SetModelFields(v1::GenerateRequest& request) const {
  request.set_prompt_2(prompt_2_);
  request.set_negative_prompt_2(negative_prompt_2_);
  request.set_prompt_3(prompt_3_);
  request.set_negative_prompt_3(negative_prompt_3_);
  if (class_label_) request.set_class_label(*class_label_);
  if (true_guidance_scale_) {
    request.set_true_guidance_scale(*true_guidance_scale_);
  }
  if (max_sequence_length_) {
    request.set_max_sequence_length(*max_sequence_length_);
  }
  auto& conditioning = *request.mutable_size_conditioning();
  if (!original_size_.empty()) {
    conditioning.mutable_prompt()->set_original_width(original_size_[0]);
    conditioning.mutable_prompt()->set_original_height(original_size_[1]);
  }
  if (!crop_.empty()) {
    conditioning.mutable_prompt()->set_crop_left(crop_[0]);
    conditioning.mutable_prompt()->set_crop_top(crop_[1]);
  }
  if (!target_size_.empty()) {
    conditioning.mutable_prompt()->set_target_width(target_size_[0]);
    conditioning.mutable_prompt()->set_target_height(target_size_[1]);
  }
  if (!conditioning.has_prompt()) request.clear_size_conditioning();
  if (image_guidance_scale_) {
    request.set_image_guidance_scale(*image_guidance_scale_);
  }
  if (noise_level_) request.set_noise_level(*noise_level_);
  if (refine_at_) request.mutable_refiner()->set_switch_at(*refine_at_);
  if (aesthetic_score_) {
    request.mutable_refiner()->set_aesthetic_score(*aesthetic_score_);
  }
  if (negative_aesthetic_score_) {
    request.mutable_refiner()->set_negative_aesthetic_score(
        *negative_aesthetic_score_);
  }
}

void GenerateCommand::AddPreviewOptions() {
  CLI::App& c = *command_;
  c.add_option("--preview-every", preview_every_,
               "a preview after every so many steps");
  c.add_option("--preview-steps", preview_steps_,
               "steps to preview, separated by commas")
      ->delimiter(',')
      ->check(Step());
  AddChoice(c, "--preview-decoder", preview_decoder_, DecoderNames(),
            "preview decoder");
  c.add_option("--preview-size", preview_side_,
               "longest side of previews in pixels");
  AddChoice(c, "--preview-format", preview_format_, FormatNames(),
            "file format of previews; the terminal cannot show webp");
  c.add_flag("--no-previews", no_previews_, "only the finished pictures");
}

absl::Status GenerateCommand::SetStart(v1::GenerateRequest& request) const {
  if (image_path_.empty()) return absl::OkStatus();
  auto image = ReadInputFile(image_path_);
  if (!image.ok()) return image.status();
  v1::ImageToImage& start = *request.mutable_image_to_image();
  start.set_image(*std::move(image));
  if (strength_) start.set_strength(*strength_);
  start.set_resize_mode(
      Chosen<v1::ResizeMode>(ResizeModeNames(), resize_mode_));
  return inpainting_.Set(request);
}

void GenerateCommand::SetWalk(v1::GenerateRequest& request) const {
  if (steps_) request.set_steps(*steps_);
  if (guidance_scale_) request.set_guidance_scale(*guidance_scale_);
  if (guidance_rescale_) request.set_guidance_rescale(*guidance_rescale_);
  if (!sampler_.empty()) {
    const SamplerChoice choice = FindSampler(sampler_).value();
    request.set_sampler(choice.sampler);
    request.set_schedule(choice.schedule);
  }
  if (!schedule_.empty()) {
    request.set_schedule(*FindSchedule(schedule_));
  }
  request.mutable_sigmas()->Assign(sigmas_.begin(), sigmas_.end());
  request.mutable_timesteps()->Assign(timesteps_.begin(), timesteps_.end());
  request.set_noise_generator(
      Chosen<v1::NoiseGenerator>(NoiseGeneratorNames(), noise_generator_));
  if (eta_) request.set_eta(*eta_);
  if (clip_skip_) request.set_clip_skip(*clip_skip_);
}

void GenerateCommand::SetPreviews(v1::PreviewPlan& preview) const {
  for (const std::string& text : preview_steps_) {
    uint32_t step = 0;
    if (absl::SimpleAtoi(text, &step)) preview.add_steps(step);
  }
  if (preview_every_) preview.set_every(*preview_every_);
  if (!preview_every_ && preview_steps_.empty()) {
    preview.set_every(std::max(1u, steps_.value_or(25) / kDefaultPreviews));
  }
  preview.set_decoder(
      Chosen<v1::PreviewDecoder>(DecoderNames(), preview_decoder_));
  if (preview_side_) preview.set_longest_side(*preview_side_);
  preview.set_format(Chosen<v1::ImageFormat>(FormatNames(), preview_format_));
}

absl::StatusOr<v1::GenerateRequest> GenerateCommand::MakeRequest() const {
  for (const auto& [name, text] :
       {std::pair("the prompt", &prompt_),
        std::pair("--negative", &negative_prompt_),
        std::pair("--prompt-2", &prompt_2_),
        std::pair("--negative-2", &negative_prompt_2_),
        std::pair("--prompt-3", &prompt_3_),
        std::pair("--negative-3", &negative_prompt_3_),
        std::pair("--model", &model_),
        std::pair("--request-id", &request_id_)}) {
    const absl::Status checked = CheckText(name, *text);
    if (!checked.ok()) return checked;
  }
  v1::GenerateRequest request;
  request.set_request_id(request_id_);
  if (goes_on_) request.set_on_disconnect(v1::ON_DISCONNECT_CONTINUE);
  request.set_model(model_);
  request.set_prompt(prompt_);
  request.set_negative_prompt(negative_prompt_);
  uint64_t seed = 0;
  if (!absl::SimpleAtoi(seed_, &seed)) seed = std::random_device()();
  request.set_seed(seed);
  if (image_count_) request.set_image_count(*image_count_);
  if (width_) request.set_width(*width_);
  if (height_) request.set_height(*height_);
  const absl::Status started = SetStart(request);
  if (!started.ok()) return started;
  SetWalk(request);
  SetModelFields(request);
  steering_.Set(request);
  loras_.Set(request);
  const absl::Status controlled = control_.SetIn(request);
  if (!controlled.ok()) return controlled;
  hires_.Apply(request);
  request.mutable_output()->set_embed_parameters(!no_parameters_);
  request.mutable_output()->set_format(
      Chosen<v1::ImageFormat>(FormatNames(), format_));
  picture_options_.Set(request);
  if (!no_previews_) SetPreviews(*request.mutable_preview());
  return request;
}

ExitStatus GenerateCommand::Detach(
    std::chrono::system_clock::time_point deadline,
    v1::GenerateRequest wanted) const {
  grpc::ClientContext context;
  context.set_deadline(deadline);
  v1::CreateJobRequest request;
  if (timeout_seconds_ > 0) {
    *wanted.mutable_time_limit() = ToProto(absl::Seconds(timeout_seconds_));
  }
  *request.mutable_request() = std::move(wanted);
  v1::Job job;
  const grpc::Status status =
      v1::Jobs::NewStub(Connect(server_))->CreateJob(&context, request, &job);
  if (!status.ok()) return ReportFailure(status, server_);
  if (json_) return PrintJson(job, Zeros::kPrinted);
  std::cout << job.id() << std::endl;
  return kExitOk;
}

ExitStatus GenerateCommand::Run() {
  auto request = MakeRequest();
  if (!request.ok()) {
    return Fail(request.status().message(), kExitUsage);
  }
  // Before anything is painted for it.
  const absl::Status writable =
      detach_ ? absl::OkStatus() : CheckOutputFolder(output_folder_);
  if (!writable.ok()) return Fail(writable.message(), kExitFailed);
  PictureSink sink(PictureFiles(output_folder_, Slug(prompt_), request->seed()),
                   MakeEventPrinter({.json = json_,
                                     .art = !no_art_,
                                     .image_count = std::clamp(
                                         std::max(image_count_.value_or(1),
                                                  picture_options_.drawn()),
                                         1u, 64u)}));
  const auto deadline =
      timeout_seconds_ > 0 ? std::chrono::system_clock::now() +
                                 std::chrono::milliseconds(static_cast<int64_t>(
                                     timeout_seconds_ * 1000))
                           : std::chrono::system_clock::time_point::max();
  if (detach_) return Detach(deadline, *std::move(request));
  return Paint(
      {.server = server_, .deadline = deadline, .first_rest = first_rest_},
      *std::move(request), sink);
}

}  // namespace genzo
