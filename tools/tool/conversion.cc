#include "tools/tool/conversion.h"

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <map>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "nlohmann/json.hpp"
#include "tools/tool/lost_settings.h"
#include "tools/tool/one_file.h"
#include "worker/weights/json_config.h"
#include "worker/weights/model_index.h"
#include "worker/weights/safetensors.h"
#include "worker/weights/single_file/edm_file.h"
#include "worker/weights/single_file/single_file.h"

namespace genzo {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using Source = std::shared_ptr<const TensorSource>;

constexpr size_t kMaxTextBytes = 16 << 20;
constexpr char kFactors[] = "latent_rgb_factors.json";
constexpr const char* kTexts[] = {"config.json",
                                  "scheduler_config.json",
                                  "tokenizer_config.json",
                                  "special_tokens_map.json",
                                  "vocab.json",
                                  "merges.txt",
                                  "tokenizer.json",
                                  "spiece.model",
                                  "added_tokens.json",
                                  "preprocessor_config.json",
                                  "processor_config.json",
                                  kFactors};
constexpr char kSettings[] = "genzo.json";
constexpr char kTiny[] = "tiny_vae";
constexpr char kRefiner[] = "refiner";

absl::Status WriteText(const fs::path& path, const std::string& text) {
  std::ofstream file(path, std::ios::binary);
  file << text;
  file.close();
  if (file) return absl::OkStatus();
  return absl::UnavailableError(absl::StrCat(
      path.string(), ": cannot be written: ", std::strerror(errno)));
}

// Nothing, if there is no such file.
absl::Status CopyText(const TextFile& file, const fs::path& to) {
  if (!file.Exists()) return absl::OkStatus();
  const auto text = file.Read(kMaxTextBytes);
  return text.ok() ? WriteText(to, *text) : text.status();
}

// diffusers' own classes lie in its library, the others in transformers'.
bool IsOfTransformers(const std::string& class_name) {
  return absl::StartsWith(class_name, "CLIP") ||
         absl::StartsWith(class_name, "DPT") ||
         absl::StartsWith(class_name, "T5");
}

absl::Status WriteComponent(const ComponentFiles& files,
                            const std::string& class_name,
                            const fs::path& folder,
                            const WriteOptions& options) {
  std::error_code error;
  fs::create_directories(folder, error);
  for (const char* name : kTexts) {
    const absl::Status copied = CopyText(files.At(name), folder / name);
    if (!copied.ok()) return copied;
  }
  if (!HasTensors(class_name)) return absl::OkStatus();
  const auto tensors = files.OpenTensors();
  if (!tensors.ok()) return tensors.status();
  const char* const name = IsOfTransformers(class_name)
                               ? "model.safetensors"
                               : "diffusion_pytorch_model.safetensors";
  return WriteSafetensors((folder / name).string(), **tensors, options);
}

bool HasTiny(const ModelIndex& index) {
  std::error_code ignored;
  return fs::exists(index.FilesOf(kTiny).path(), ignored);
}

// The base's, with the components that it has itself; it reads the base's in
// place of others.
absl::StatusOr<ModelIndex> OpenRefiner(const ModelIndex& base) {
  auto refiner = OpenModelIndex(base.refiner);
  if (!refiner.ok()) return refiner;
  const std::map<std::string, std::string> listed = refiner->components;
  for (const auto& component : listed) {
    if (refiner->Has(component.first)) continue;
    refiner->components.erase(component.first);
  }
  refiner->refiner.clear();  // it has none; a link may say it has
  return refiner;
}

// Components and the index that names them.
absl::Status WriteIndexed(const ModelIndex& index, const fs::path& folder,
                          const WriteOptions& options) {
  const auto read = JsonConfig::ReadFile(index.files.At("model_index.json"));
  if (!read.ok()) return read.status();
  json contents = read->object();
  for (const auto& [component, class_name] : index.components) {
    const json said = contents.value(component, json());
    const bool has_library =
        said.is_array() && !said.empty() && said[0].is_string();
    const json library = has_library                    ? said[0]
                         : IsOfTransformers(class_name) ? json("transformers")
                                                        : json("diffusers");
    contents[component] = json::array({library, class_name});
    const absl::Status written = WriteComponent(
        index.FilesOf(component), class_name, folder / component, options);
    if (!written.ok()) return written;
  }
  return WriteText(folder / "model_index.json", contents.dump(2) + "\n");
}

// The model with what no index names beside it.
absl::Status WriteFolder(const ModelIndex& index, const fs::path& folder,
                         const WriteOptions& options) {
  WriteOptions of_parts = options;
  of_parts.metadata = {{"format", "pt"}};
  absl::Status status = WriteIndexed(index, folder, of_parts);
  if (status.ok()) {
    status = CopyText(index.files.At(kSettings), folder / kSettings);
  }
  if (status.ok() && HasTiny(index)) {
    status = WriteComponent(index.FilesOf(kTiny), "AutoencoderTiny",
                            folder / kTiny, of_parts);
  }
  if (!status.ok() || index.refiner.empty()) return status;
  const auto refiner = OpenRefiner(index);
  if (!refiner.ok()) return refiner.status();
  return WriteFolder(*refiner, folder / kRefiner, options);
}

int64_t BytesOf(const ModelIndex& index, const WriteOptions& options) {
  int64_t bytes = 0;
  const auto add = [&](const std::string& component) {
    const auto tensors = index.FilesOf(component).OpenTensors();
    if (tensors.ok()) bytes += WrittenBytes(**tensors, options);
  };
  for (const auto& component : index.components) add(component.first);
  if (HasTiny(index)) add(kTiny);
  if (index.refiner.empty()) return bytes;
  const auto refiner = OpenRefiner(index);
  return refiner.ok() ? bytes + BytesOf(*refiner, options) : bytes;
}

WriteOptions KeepingEdm(WriteOptions options) {
  options.keeps_type = IsEdmTensor;
  return options;
}

// Of a folder that becomes a file.
std::vector<std::string> LeftOut(const ModelIndex& index, const OneFile& file) {
  std::vector<std::string> names;
  if (index.files.At(kSettings).Exists()) names.emplace_back(kSettings);
  if (!index.refiner.empty()) names.emplace_back(kRefiner);
  if (index.Has(kSafetyChecker)) names.emplace_back(kSafetyChecker);
  if (HasTiny(index)) names.emplace_back(kTiny);
  if (index.FilesOf("vae").At(kFactors).Exists()) {
    names.push_back(absl::StrCat("vae/", kFactors));
  }
  for (std::string& lost : LostSettings(index, file)) {
    names.push_back(std::move(lost));
  }
  return names;
}

bool IsFileName(const std::string& output) {
  return absl::EndsWith(output, ".safetensors");
}

}  // namespace

absl::Status CheckTarget(const std::string& output) {
  std::error_code error;
  const bool may_stay = fs::is_directory(output, error) &&
                        fs::is_empty(output, error) && !IsFileName(output);
  if (fs::exists(output, error) && !may_stay) {
    return absl::AlreadyExistsError(
        absl::StrCat(output, fs::is_regular_file(output, error)
                                 ? ": is there"
                                 : ": is there and is not an empty folder"));
  }
  const std::string ending = fs::path(output).extension().string();
  for (const char* file : {".ckpt", ".pt", ".pth", ".bin", ".gguf"}) {
    if (!absl::EqualsIgnoreCase(ending, file)) continue;
    return absl::InvalidArgumentError(absl::StrCat(
        output, ": files are written as .safetensors, not as ", ending));
  }
  return absl::OkStatus();
}

absl::StatusOr<Conversion> Conversion::Plan(const ModelFiles& model,
                                            const std::string& output) {
  const absl::Status target = CheckTarget(output);
  if (!target.ok()) return target;
  std::error_code ignored;
  Conversion plan;
  plan.output_ = output;
  const bool to_file = IsFileName(output);
  if (to_file && fs::is_regular_file(model.path, ignored)) {
    plan.file_ = model.path;
    const auto tensors = plan.OpenForFile({});
    if (!tensors.ok()) return tensors.status();
    return plan;
  }
  auto index = OpenModelIndex(model);
  if (!index.ok()) return index.status();
  plan.index_ = *std::move(index);
  if (!to_file) return plan;
  auto joined = InOneFile(plan.index_);
  if (!joined.ok()) return joined.status();
  plan.left_out_ = LeftOut(plan.index_, *joined);
  plan.joined_ = *std::move(joined);
  return plan;
}

absl::StatusOr<std::shared_ptr<const TensorSource>> Conversion::OpenForFile(
    const WriteOptions& options) const {
  auto tensors = OpenTensorFile(file_);
  if (!tensors.ok() || options.dtype.has_value()) return tensors;
  return SafetensorsFile::Open(file_);
}

int64_t Conversion::TotalBytes(const WriteOptions& options) const {
  if (joined_.has_value()) return WrittenBytes(*joined_->tensors, options);
  if (file_.empty()) return BytesOf(index_, options);
  const auto tensors = OpenForFile(options);
  return tensors.ok() ? WrittenBytes(**tensors, KeepingEdm(options)) : 0;
}

absl::Status Conversion::Write(const WriteOptions& options) const {
  if (joined_.has_value()) {
    WriteOptions described = options;
    described.metadata = joined_->metadata;
    return WriteSafetensors(output_, *joined_->tensors, described);
  }
  if (file_.empty()) return WriteFolder(index_, output_, options);
  // The names are right already.
  const auto tensors = OpenForFile(options);
  if (!tensors.ok()) return tensors.status();
  WriteOptions same = KeepingEdm(options);
  same.metadata = (*tensors)->metadata();
  return WriteSafetensors(output_, **tensors, same);
}

}  // namespace genzo
