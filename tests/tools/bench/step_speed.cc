// genzo-step-speed: what loading, one evaluation and one decode of a model take
// here, as a JSON line each, for tests/tools/bench/pair_step_with_diffusers.py.

#include <algorithm>
#include <ctime>
#include <iostream>

#include "ATen/TensorOperators.h"
#include "ATen/ops/abs.h"
#include "ATen/ops/equal.h"
#include "ATen/ops/max.h"
#include "ATen/ops/randn.h"
#include "CLI/CLI.hpp"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "base/clock.h"
#include "c10/core/InferenceMode.h"
#include "nlohmann/json.hpp"
#include "tests/testing/process_memory.h"
#include "worker/device/device_names.h"
#include "worker/device/device_stream.h"
#include "worker/device/thread_count.h"
#include "worker/kernels/row_bits.h"
#include "worker/pipeline/pipeline_table.h"
#include "worker/threads/available_cores.h"

namespace genzo {
namespace {

struct Arguments {
  std::string model;
  std::string device = "cpu";
  std::string dtype = "auto";
  std::vector<int> rows = {2};
  int side = 0;  // of the picture in pixels; 0: the model's own
  int repeats = 3;
  int threads = 0;
  int lora_rank = 0;  // 0: no adapters
  bool decode = true;
  bool record = true;
  bool bits = false;
};

int64_t ResidentBytes() { return ProcessMemory::Now().resident; }

// After `warm_up` times that do not count.
template <typename Function>
void Measure(const std::string& what, int rows, int repeats, int warm_up,
             const Function& function) {
  for (int i = 0; i < warm_up; ++i) function();
  std::vector<double> seconds, cpu_seconds;
  for (int i = 0; i < repeats; ++i) {
    const absl::Time begin = Clock::Real().Now();
    const std::clock_t cpu_begin = std::clock();
    function();
    cpu_seconds.push_back(static_cast<double>(std::clock() - cpu_begin) /
                          CLOCKS_PER_SEC);
    seconds.push_back(absl::ToDoubleSeconds(Clock::Real().Now() - begin));
  }
  std::sort(seconds.begin(), seconds.end());
  std::sort(cpu_seconds.begin(), cpu_seconds.end());
  std::cout << nlohmann::json({{"what", what},
                               {"rows", rows},
                               {"seconds", seconds[seconds.size() / 2]},
                               // Of all threads: the busy neighbours' share of
                               // the machine is not in it.
                               {"cpu_seconds", cpu_seconds[repeats / 2]}})
            << std::endl;
}

// Random deltas of all attention layers.
std::shared_ptr<const AdapterSet> AttentionAdapter(const Pipeline& model,
                                                   int64_t rank) {
  auto set = std::make_shared<AdapterSet>();
  const Placement placement = model.placement();
  const auto random = [&](int64_t a, int64_t b) {
    return (at::randn({a, b}) * 0.01).to(placement.device, placement.dtype);
  };
  for (const auto& [name, entry] :
       model.adapter_targets()->TensorsOf("denoiser")) {
    const std::string layer(absl::StripSuffix(name, ".weight"));
    if (layer == name || entry.shape.size() != 2 ||
        !absl::StrContains(name, ".attn")) {
      continue;
    }
    set->layers[layer] = {{.down = random(rank, entry.shape[1]),
                           .up = random(entry.shape[0], rank)}};
  }
  return set;
}

// `rows` rows, the first `adapters` of which have one each; one for all if 1.
EvalContext Adapted(const Pipeline& model, int rows, int adapters,
                    int64_t rank) {
  std::vector<AdapterSegment> segments;
  for (int i = 0; i < adapters; ++i) {
    segments.push_back({.first_row = i,
                        .rows = adapters == 1 ? rows : 1,
                        .adapters = AttentionAdapter(model, rank)});
  }
  return EvalContext(std::move(segments));
}

// Whether each row of an evaluation has the bits that it has alone.
void CompareBits(const Pipeline& model, const at::Tensor& sample,
                 const Prepared& text) {
  const int64_t rows = sample.size(0);
  const std::vector<float> times(rows, 500.0f);
  const at::Tensor together =
      Predict(model.denoiser(), sample, times, RepeatFirstRow(text, rows));
  std::vector<int64_t> others;
  double largest = 0;
  for (int64_t row = 0; row < rows; ++row) {
    const at::Tensor alone =
        Predict(model.denoiser(), sample.narrow(0, row, 1), {times[row]}, text);
    const at::Tensor same = together.narrow(0, row, 1);
    if (at::equal(alone, same)) continue;
    others.push_back(row);
    largest = std::max(largest, (alone - same).abs().max().item<double>());
  }
  std::cout << nlohmann::json({{"what", "unet_bits"},
                               {"rows", rows},
                               {"other_rows", others},
                               {"largest", largest}})
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
  const absl::Time begin = Clock::Real().Now();
  const int64_t resident = ResidentBytes();
  const auto loaded = LoadPipeline(
      arguments.model,
      {.device = device, .dtype = *dtype, .record = arguments.record});
  if (!loaded.ok()) {
    std::cerr << loaded.status().message() << "\n";
    return 1;
  }
  const Pipeline& model = **loaded;
  std::cout << nlohmann::json({{"what", "load"},
                               {"seconds", absl::ToDoubleSeconds(
                                               Clock::Real().Now() - begin)},
                               {"weight_bytes", model.weight_bytes()},
                               {"resident_bytes", ResidentBytes() - resident}})
            << std::endl;
  const LatentCodec& codec = model.codec();
  const auto latent_side = [&](int own) {
    return (arguments.side > 0 ? arguments.side : own) /
           codec.pixels_per_latent();
  };
  const int64_t height = latent_side(model.traits().default_height);
  const int64_t width = latent_side(model.traits().default_width);
  // Kernels are made on first use, and a GPU's second evaluation is recorded.
  const int warm_up = device.is_cuda() ? 2 : 1;
  const PreparedRef text = model.PrepareEmpty();
  for (int rows : arguments.rows) {
    const at::Tensor sample =
        at::randn({rows, codec.latent_channels(), height, width});
    if (arguments.bits) {
      CompareBits(model, sample, *text);
      continue;
    }
    const std::vector<float> times(rows, 500.0f);
    const Prepared prepared = RepeatFirstRow(*text, rows);
    {
      const TryingRowBits trying;  // as the server does when it measures
      Predict(model.denoiser(), sample, times, prepared);
    }
    Measure("unet_step", rows, arguments.repeats, warm_up - 1,
            [&] { Predict(model.denoiser(), sample, times, prepared); });
    if (arguments.lora_rank == 0 || model.adapter_targets() == nullptr) {
      continue;
    }
    for (const int adapters : {1, rows}) {
      Prepared adapted = prepared;
      // Told apart from those without by their memory.
      for (at::Tensor& tensor : adapted.tensors) tensor = tensor.clone();
      adapted.adapters = Adapted(model, rows, adapters, arguments.lora_rank);
      Measure(absl::StrCat("unet_step_lora_", adapters), rows,
              arguments.repeats, warm_up,
              [&] { Predict(model.denoiser(), sample, times, adapted); });
    }
  }
  if (arguments.decode) {
    const at::Tensor latent =
        at::randn({1, codec.latent_channels(), height, width});
    Measure("vae_decode", 1, arguments.repeats, warm_up,
            [&] { codec.Decode(latent); });
  }
  return 0;
}

int Main(int argc, char** argv) {
  CLI::App app("Times one model's loading, denoiser and autoencoder.",
               "genzo-step-speed");
  Arguments arguments;
  app.add_option("model", arguments.model, "folder in the diffusers layout")
      ->required();
  app.add_option("--device", arguments.device, "cpu, cuda or cuda:N")
      ->capture_default_str();
  app.add_option("--dtype", arguments.dtype,
                 "auto, float32, bfloat16 or float16")
      ->capture_default_str();
  app.add_option("--rows", arguments.rows,
                 "rows of an evaluation, several with commas: each is timed")
      ->delimiter(',')
      ->capture_default_str();
  app.add_option("--side", arguments.side,
                 "of the picture, in pixels; 0: the model's own")
      ->check(CLI::Range(0, 4096))
      ->capture_default_str();
  app.add_option("--repeats", arguments.repeats, "of which medians are told")
      ->check(CLI::Range(1, 1000))
      ->capture_default_str();
  app.add_option("--threads", arguments.threads, "0: as many as the server")
      ->check(CLI::Range(0, 1024))
      ->capture_default_str();
  app.add_option("--lora-rank", arguments.lora_rank,
                 "time adapters of that rank on all attention layers, too: one "
                 "for all rows, one for each row")
      ->check(CLI::Range(0, 4096));
  bool no_decode = false, eager = false;
  app.add_flag("--no-decode", no_decode, "time the denoiser alone");
  app.add_flag("--bits", arguments.bits,
               "compare the rows of evaluations with the same alone instead");
  app.add_flag("--eager", eager, "on a GPU, launch every evaluation anew");
  CLI11_PARSE(app, argc, argv);
  arguments.decode = !no_decode;
  arguments.record = !eager;
  return Run(arguments);
}

}  // namespace
}  // namespace genzo

int main(int argc, char** argv) { return genzo::Main(argc, argv); }
