#include "tools/tool/convert_command.h"

#include <unistd.h>

#include <filesystem>
#include <iostream>
#include <memory>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "tools/tool/conversion.h"
#include "tools/tool/unpickle_process.h"

namespace genzo {
namespace {

struct Options {
  ModelFiles model;
  std::string output;
  std::string dtype = "keep";
};

// A line that tells how far the work is, where somebody looks at it.
class Progress {
 public:
  explicit Progress(int64_t total_bytes) : total_(total_bytes) {}
  void Add(int64_t bytes) {
    done_ += bytes;
    const int percent =
        total_ > 0 ? static_cast<int>(100 * done_ / total_) : 100;
    if (percent == shown_ || isatty(STDERR_FILENO) == 0) return;
    shown_ = percent;
    std::cerr << absl::StreamFormat("\r%3d %% of %.1f MB", percent,
                                    static_cast<double>(total_) / 1e6)
              << std::flush;
  }
  ~Progress() {
    if (shown_ >= 0) std::cerr << "\n";
  }

 private:
  const int64_t total_;
  int64_t done_ = 0;
  int shown_ = -1;
};

absl::Status Run(const ModelFiles& model, const std::string& output,
                 WriteOptions options) {
  const auto conversion = Conversion::Plan(model, output);
  if (!conversion.ok()) return conversion.status();
  if (!conversion->left_out().empty()) {
    // So that nobody takes the file for all of the model.
    std::cerr << "left out, since a single file has no place for it: "
              << absl::StrJoin(conversion->left_out(), ", ") << "\n";
  }
  Progress progress(conversion->TotalBytes(options));
  options.progress = [&](int64_t bytes) { progress.Add(bytes); };
  return conversion->Write(options);
}

absl::Status Convert(const Options& options) {
  ModelFiles model = options.model;
  std::string unpickled;
  if (IsPickle(model.path)) {
    // Before the long way to it.
    const absl::Status target = CheckTarget(options.output);
    if (!target.ok()) return target;
    // Beside the result: there is room for it.
    unpickled = absl::StrCat(options.output, ".unpickled.safetensors");
    const absl::Status read = UnpickleInChild(model.path, unpickled);
    if (!read.ok()) return read;
    model.path = unpickled;
  }
  WriteOptions write;
  if (options.dtype == "float32") write.dtype = at::kFloat;
  if (options.dtype == "float16") write.dtype = at::kHalf;
  if (options.dtype == "bfloat16") write.dtype = at::kBFloat16;
  const absl::Status converted = Run(model, options.output, write);
  std::error_code ignored;
  if (!unpickled.empty()) std::filesystem::remove(unpickled, ignored);
  return converted;
}

}  // namespace

void AddConvertCommand(CLI::App& app, absl::Status& result) {
  const auto options = std::make_shared<Options>();
  CLI::App* const command = app.add_subcommand(
      "convert", "rewrites a model as a folder or as a single file");
  command
      ->add_option("FROM", options->model.path,
                   "a safetensors file, a folder in the diffusers layout, or "
                   "a .ckpt")
      ->required();
  command
      ->add_option("TO", options->output,
                   "NAME.safetensors for a single file, else a folder; new")
      ->required();
  command
      ->add_option("--dtype", options->dtype,
                   "float32, float16, bfloat16, or keep what there is; float8 "
                   "with scales is kept from file to file alone, else it "
                   "becomes float32")
      ->check(CLI::IsMember({"keep", "float32", "float16", "bfloat16"}))
      ->capture_default_str();
  command->add_option("--config", options->model.config,
                      "folder with what a single file cannot say");
  command->callback([options, &result] { result = Convert(*options); });
}

}  // namespace genzo
