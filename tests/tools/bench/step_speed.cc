// genzo-step-speed: what one evaluation and one decode of a model take here, as
// a JSON line each, for tests/tools/bench/pair_step_with_diffusers.py.

#include <iostream>

#include "ATen/ops/randn.h"
#include "CLI/CLI.hpp"
#include "base/clock.h"
#include "c10/core/InferenceMode.h"
#include "nlohmann/json.hpp"
#include "worker/device/device_names.h"
#include "worker/device/device_stream.h"
#include "worker/device/thread_count.h"
#include "worker/pipeline/pipeline_table.h"
#include "worker/threads/available_cores.h"

namespace genzo {
namespace {

struct Arguments {
  std::string model;
  std::string device = "cpu";
  std::string dtype = "auto";
  std::vector<int> rows = {2};
  int repeats = 3;
  int threads = 0;
  bool decode = true;
  bool record = true;
};

template <typename Function>
void Measure(const std::string& what, int rows, int repeats,
             const Function& function) {
  // Kernels are made on first use, and where evaluations are recorded, the
  // second is.
  for (int i = 0; i < 2; ++i) function();
  std::vector<double> seconds;
  for (int i = 0; i < repeats; ++i) {
    const absl::Time begin = Clock::Real().Now();
    function();
    seconds.push_back(absl::ToDoubleSeconds(Clock::Real().Now() - begin));
  }
  std::sort(seconds.begin(), seconds.end());
  std::cout << nlohmann::json({{"what", what},
                               {"rows", rows},
                               {"seconds", seconds[seconds.size() / 2]}})
            << std::endl;
}

int Run(const Arguments& arguments) {
  c10::InferenceMode inference;
  UseThreads(arguments.threads > 0 ? arguments.threads : DefaultThreads());
  const auto devices = ResolveDevices({arguments.device});
  if (!devices.ok()) {
    std::cerr << devices.status().message() << "\n";
    return 2;
  }
  const c10::Device device = devices->front();
  const auto dtype = ParseDtype(arguments.dtype, device);
  if (!dtype.ok()) {
    std::cerr << dtype.status().message() << "\n";
    return 2;
  }
  const DeviceStream stream(device, StreamPriority::kHigh);
  const DeviceStream::Scope on_stream(stream);
  const auto loaded = LoadPipeline(
      arguments.model,
      {.device = device, .dtype = *dtype, .record = arguments.record});
  if (!loaded.ok()) {
    std::cerr << loaded.status().message() << "\n";
    return 1;
  }
  const Pipeline& model = **loaded;
  const LatentCodec& codec = model.codec();
  const int64_t height =
      model.traits().default_height / codec.pixels_per_latent();
  const int64_t width =
      model.traits().default_width / codec.pixels_per_latent();
  const PreparedRef text = model.PrepareEmpty();
  for (int rows : arguments.rows) {
    const at::Tensor sample =
        at::randn({rows, codec.latent_channels(), height, width});
    const std::vector<float> times(rows, 500.0f);
    const Prepared prepared = RepeatFirstRow(*text, rows);
    Measure("unet_step", rows, arguments.repeats,
            [&] { Predict(model.denoiser(), sample, times, prepared); });
  }
  if (arguments.decode) {
    const at::Tensor latent =
        at::randn({1, codec.latent_channels(), height, width});
    Measure("vae_decode", 1, arguments.repeats, [&] { codec.Decode(latent); });
  }
  return 0;
}

int Main(int argc, char** argv) {
  CLI::App app("Times one model's denoiser and autoencoder.",
               "genzo-step-speed");
  Arguments arguments;
  app.add_option("model", arguments.model, "folder in the diffusers layout")
      ->required();
  app.add_option("--device", arguments.device, "cpu, cuda or cuda:N")
      ->capture_default_str();
  app.add_option("--dtype", arguments.dtype)->capture_default_str();
  app.add_option("--rows", arguments.rows)->delimiter(',');
  app.add_option("--repeats", arguments.repeats)->check(CLI::Range(1, 1000));
  app.add_option("--threads", arguments.threads)->check(CLI::Range(0, 1024));
  app.add_flag("!--no-decode", arguments.decode);
  app.add_flag("!--eager", arguments.record,
               "on a GPU, launch every evaluation anew");
  CLI11_PARSE(app, argc, argv);
  return Run(arguments);
}

}  // namespace
}  // namespace genzo

int main(int argc, char** argv) { return genzo::Main(argc, argv); }
