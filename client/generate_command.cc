#include "client/generate_command.h"

#include <pthread.h>
#include <signal.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <iostream>
#include <random>
#include <thread>

#include "client/event_printer.h"
#include "client/file_names.h"
#include "client/picture_files.h"
#include "client/sampler_names.h"
#include "genzo/v1/image_generation.grpc.pb.h"
#include "grpcpp/create_channel.h"

namespace genzo {
namespace {

constexpr uint32_t kDefaultPreviews = 5;  // of a run of 25 steps

// While it lives, Ctrl-C cancels a call instead of ending the program.
class InterruptGuard {
 public:
  explicit InterruptGuard(grpc::ClientContext& context) {
    sigemptyset(&signals_);
    for (int signal : {SIGINT, SIGTERM, SIGUSR1}) sigaddset(&signals_, signal);
    pthread_sigmask(SIG_BLOCK, &signals_, &previous_);
    watcher_ = std::thread([this, &context] {
      int signal = 0;
      sigwait(&signals_, &signal);
      if (signal == SIGUSR1) return;
      interrupted_ = true;
      context.TryCancel();
    });
  }

  ~InterruptGuard() {
    // Wakes the watcher, unless Ctrl-C has.
    pthread_kill(watcher_.native_handle(), SIGUSR1);
    watcher_.join();
    // Swallows the wake-up that a departed watcher did not take.
    const timespec now = {};
    while (sigtimedwait(&signals_, nullptr, &now) > 0) {
    }
    pthread_sigmask(SIG_SETMASK, &previous_, nullptr);
  }

  bool interrupted() const { return interrupted_; }

 private:
  sigset_t signals_;
  sigset_t previous_;
  std::atomic<bool> interrupted_{false};
  std::thread watcher_;
};

std::shared_ptr<grpc::Channel> Connect(const std::string& server) {
  grpc::ChannelArguments arguments;
  arguments.SetMaxReceiveMessageSize(-1);  // pictures may exceed 4 MiB
  return grpc::CreateCustomChannel(server, grpc::InsecureChannelCredentials(),
                                   arguments);
}

template <typename T>
void AddOptional(CLI::App& command, const std::string& name,
                 std::optional<T>& value, const std::string& help) {
  command.add_option(name, value, help);
}

}  // namespace

GenerateCommand::GenerateCommand(CLI::App& app, const std::string& server)
    : command_(app.add_subcommand("generate", "turn a prompt into pictures")),
      server_(server) {
  CLI::App& c = *command_;
  c.add_option("prompt", prompt_, "what to paint")->required();
  c.add_option("-n,--negative", negative_prompt_, "what to stay away from");
  c.add_option("-m,--model", model_, "model id; see `genzo models`");
  AddOptional(c, "-s,--seed", seed_, "noise seed; drawn if absent");
  AddOptional(c, "-c,--count", image_count_, "number of pictures");
  AddOptional(c, "--width", width_, "width in pixels");
  AddOptional(c, "--height", height_, "height in pixels");
  AddOptional(c, "--steps", steps_, "denoising steps");
  AddOptional(c, "-g,--guidance", guidance_scale_,
              "guidance scale; 1 or less turns guidance off");
  c.add_option("--guidance-rescale", guidance_rescale_, "0 to 1");
  c.add_option("--sampler", sampler_, "sampler")
      ->transform(CLI::CheckedTransformer(SamplerNames(), CLI::ignore_case));
  c.add_option("--eta", eta_, "DDPM noise in DDIM, 0 to 1");
  c.add_option("--clip-skip", clip_skip_, "last text layers to leave out");
  c.add_option("--preview-every", preview_every_,
               "a preview after every so many steps");
  c.add_option("--preview-steps", preview_steps_,
               "steps to preview, separated by commas")
      ->delimiter(',');
  c.add_option("--preview-decoder", preview_decoder_, "preview decoder")
      ->transform(CLI::CheckedTransformer(DecoderNames(), CLI::ignore_case));
  c.add_option("--preview-size", preview_side_,
               "longest side of previews in pixels");
  c.add_option("--preview-format", preview_format_,
               "file format of previews; the terminal cannot show webp")
      ->transform(CLI::CheckedTransformer(FormatNames(), CLI::ignore_case));
  c.add_flag("--no-previews", no_previews_, "only the finished pictures");
  c.add_flag("--no-parameters", no_parameters_,
             "do not write prompt and seed into the file");
  c.add_option("--format", format_, "file format of the pictures")
      ->transform(CLI::CheckedTransformer(FormatNames(), CLI::ignore_case));
  c.add_option("-o,--output", output_folder_, "folder for the files")
      ->capture_default_str();
  c.add_option("--request-id", request_id_, "your name for the request");
  c.add_option("--timeout", timeout_seconds_, "give up after so many seconds")
      ->check(CLI::Range(0.001, 1e6));
  c.add_flag("--json", json_, "a JSON object an event, for scripts");
  c.add_flag("--no-art", no_art_, "no pictures in the terminal");
}

v1::GenerateRequest GenerateCommand::MakeRequest() const {
  v1::GenerateRequest request;
  request.set_request_id(request_id_);
  request.set_model(model_);
  request.set_prompt(prompt_);
  request.set_negative_prompt(negative_prompt_);
  request.set_seed(seed_.value_or(std::random_device()()));
  if (image_count_) request.set_image_count(*image_count_);
  if (width_) request.set_width(*width_);
  if (height_) request.set_height(*height_);
  if (steps_) request.set_steps(*steps_);
  if (guidance_scale_) request.set_guidance_scale(*guidance_scale_);
  request.set_guidance_rescale(guidance_rescale_);
  request.set_sampler(static_cast<v1::GenerateRequest::Sampler>(sampler_));
  request.set_eta(eta_);
  request.set_clip_skip(clip_skip_);
  request.mutable_output()->set_embed_parameters(!no_parameters_);
  request.mutable_output()->set_format(static_cast<v1::ImageFormat>(format_));
  if (no_previews_) return request;
  v1::PreviewPlan& preview = *request.mutable_preview();
  for (uint32_t step : preview_steps_) preview.add_steps(step);
  preview.set_every(preview_every_);
  if (preview_every_ == 0 && preview_steps_.empty()) {
    preview.set_every(std::max(1u, steps_.value_or(25) / kDefaultPreviews));
  }
  preview.set_decoder(static_cast<v1::PreviewPlan::Decoder>(preview_decoder_));
  preview.set_longest_side(preview_side_);
  preview.set_format(static_cast<v1::ImageFormat>(preview_format_));
  return request;
}

ExitStatus GenerateCommand::Run() {
  const v1::GenerateRequest request = MakeRequest();
  PictureFiles files(output_folder_, Slug(prompt_), request.seed());
  auto printer = MakeEventPrinter(
      {.json = json_,
       .art = !no_art_,
       .image_count = std::clamp(image_count_.value_or(1), 1u, 64u)});
  grpc::ClientContext context;
  if (timeout_seconds_ > 0) {
    context.set_deadline(std::chrono::system_clock::now() +
                         std::chrono::milliseconds(
                             static_cast<int64_t>(timeout_seconds_ * 1000)));
  }
  const InterruptGuard guard(context);
  const auto stub = v1::ImageGeneration::NewStub(Connect(server_));
  const auto stream = stub->Generate(&context, request);
  absl::Status written;
  v1::GenerateResponse event;
  while (stream->Read(&event)) {
    std::string path;
    absl::StatusOr<std::string> file = "";
    if (event.has_preview()) file = files.Write(event.preview());
    if (event.has_image()) file = files.Write(event.image());
    if (!file.ok()) {
      written = file.status();
      context.TryCancel();
      continue;
    }
    printer->Show(event, *file);
  }
  const grpc::Status status = stream->Finish();
  printer.reset();
  if (guard.interrupted()) {
    std::cerr << "genzo: cancelled" << std::endl;
    return kExitInterrupted;
  }
  if (!written.ok()) {
    std::cerr << "genzo: " << written.message() << std::endl;
    return kExitFailed;
  }
  if (!status.ok()) {
    std::cerr << "genzo: " << Describe(status, server_) << std::endl;
  }
  return ExitStatusOf(status);
}

}  // namespace genzo
