#include "worker/text/embedding_library.h"

#include <algorithm>
#include <filesystem>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/logging.h"
#include "base/watched_folders.h"
#include "worker/weights/safetensors.h"
#include "worker/weights/torch_file/torch_file.h"

namespace genzo {
namespace {

namespace fs = std::filesystem;

constexpr int64_t kMaxVectors = 75;  // all that one window holds
constexpr int64_t kMaxWidth = 8192;
constexpr char kParameters[] = "emb_params";               // A1111, safetensors
constexpr char kPickledParameters[] = "string_to_param.";  // A1111, .pt

// Names that tell text encoders and no word, those of SDXL's first and second:
// web UIs' and diffusers' trainers of pivotal tuning, now and at first.
constexpr std::pair<const char*, const char*> kEncoders[] = {
    {"clip_l", "clip_g"}, {"text_encoders_0", "text_encoders_1"}};

bool IsTorchFile(const fs::path& path) {
  return HasEnding(path, {".pt", ".bin"});
}

absl::StatusOr<at::Tensor> ReadVectors(const TensorSource& file,
                                       const std::string& name) {
  const auto fault = [&](absl::string_view what) {
    return absl::InvalidArgumentError(
        absl::StrCat(file.path(), ": tensor \"", name, "\" ", what));
  };
  const auto found = file.entries().find(name);
  if (found == file.entries().end()) return file.Read(name);
  const std::vector<int64_t>& shape = found->second.shape;
  if (shape.empty() || shape.size() > 2 || shape.back() < 1 ||
      shape.back() > kMaxWidth) {
    return fault("is not a vector, or vectors, of a text encoder");
  }
  const int64_t count = shape.size() == 1 ? 1 : shape[0];
  if (count < 1 || count > kMaxVectors) {
    return fault(
        absl::StrCat("has ", count, " vectors, not 1 to ", kMaxVectors));
  }
  const auto read =
      file.Read(name, {.dtype = at::kFloat, .must_be_finite = true});
  if (!read.ok()) return read.status();
  return read->view({count, -1});
}

// The tensors that hold a file's vectors, one for each text encoder; none if no
// names tell.
std::vector<std::string> NamesOfVectors(
    const std::map<std::string, TensorEntry>& entries) {
  for (const auto& [first, second] : kEncoders) {
    if (entries.count(first) > 0 && entries.count(second) > 0) {
      return {first, second};
    }
  }
  if (entries.count(kParameters) > 0) return {kParameters};
  if (entries.size() == 1) return {entries.begin()->first};
  return {};
}

// Whether a tensor is named by the word that it is for, as diffusers does.
bool IsWord(const std::string& name) {
  return name != kParameters && !absl::StartsWith(name, kPickledParameters) &&
         std::none_of(std::begin(kEncoders), std::end(kEncoders),
                      [&](const auto& encoders) {
                        return name == encoders.first ||
                               name == encoders.second;
                      });
}

}  // namespace

bool LearnedEmbedding::Fits(const std::vector<int64_t>& widths) const {
  return std::equal(vectors.begin(), vectors.end(), widths.begin(),
                    widths.end(), [](const at::Tensor& rows, int64_t width) {
                      return width == kAnyWidth || rows.size(1) == width;
                    });
}

absl::StatusOr<LearnedEmbedding> ReadEmbedding(const std::string& path) {
  std::shared_ptr<const TensorSource> file;
  if (IsTorchFile(path)) {
    auto opened = TorchFile::Open(path);
    if (!opened.ok()) return opened.status();
    file = *std::move(opened);
  } else {
    auto opened = SafetensorsFile::Open(path);
    if (!opened.ok()) return opened.status();
    file = *std::move(opened);
  }
  const auto& entries = file->entries();
  LearnedEmbedding embedding;
  embedding.name = fs::path(path).stem().string();
  const std::vector<std::string> names = NamesOfVectors(entries);
  if (names.empty()) {
    return absl::InvalidArgumentError(absl::StrCat(
        path, ": has ", entries.size(),
        " tensors and none of the names that textual inversions have"));
  }
  if (IsWord(names[0])) embedding.name = names[0];
  for (const std::string& name : names) {
    auto rows = ReadVectors(*file, name);
    if (!rows.ok()) return rows.status();
    embedding.vectors.push_back(*std::move(rows));
  }
  if (embedding.vectors.front().size(0) != embedding.vectors.back().size(0)) {
    return absl::InvalidArgumentError(absl::StrCat(
        path, ": ", names.front(), " has ", embedding.vectors.front().size(0),
        " vectors, ", names.back(), " ", embedding.vectors.back().size(0)));
  }
  if (absl::StripAsciiWhitespace(embedding.name).empty()) {
    return absl::InvalidArgumentError(absl::StrCat(path, ": has no name"));
  }
  return embedding;
}

EmbeddingLibrary::EmbeddingLibrary(std::vector<LearnedEmbedding> embeddings)
    : embeddings_(std::move(embeddings)) {
  std::stable_sort(
      embeddings_.begin(), embeddings_.end(),
      [](const auto& a, const auto& b) { return a.name < b.name; });
  embeddings_.erase(std::unique(embeddings_.begin(), embeddings_.end(),
                                [](const auto& a, const auto& b) {
                                  return a.name == b.name;
                                }),
                    embeddings_.end());
}

bool IsEmbeddingFile(const fs::path& path) {
  return IsTorchFile(path) || HasEnding(path, {".safetensors"});
}

EmbeddingLibrary EmbeddingLibrary::Read(const std::vector<std::string>& files) {
  std::vector<LearnedEmbedding> embeddings;
  for (const std::string& file : files) {
    auto embedding = ReadEmbedding(file);
    if (embedding.ok()) {
      embeddings.push_back(*std::move(embedding));
    } else {
      spdlog::warn("an embedding is left out: {}",
                   std::string(embedding.status().message()));
    }
  }
  return EmbeddingLibrary(std::move(embeddings));
}

}  // namespace genzo
