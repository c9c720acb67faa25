#ifndef GENZO_WORKER_TEXT_EMBEDDING_LIBRARY_H_
#define GENZO_WORKER_TEXT_EMBEDDING_LIBRARY_H_

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "ATen/core/Tensor.h"
#include "absl/status/statusor.h"

namespace genzo {

// One file of textual inversion: a name for vectors that a text encoder takes
// where it would take those of tokens.
struct LearnedEmbedding {
  static constexpr int64_t kAnyWidth = -1;

  std::string name;
  // [N, D] float32 on the CPU, one for each text encoder of the models that it
  // is for: one for SD1 and SD2, two for SDXL. All of one N.
  std::vector<at::Tensor> vectors;

  // Whether a model's text encoders have the widths of the vectors, where it is
  // not kAnyWidth.
  bool Fits(const std::vector<int64_t>& widths) const;
};

// Reads a file of textual inversion: .safetensors, .pt or .bin, in the layouts
// that trainers and web UIs write. Its name is the one in the file, as
// diffusers writes it, else the file's without its ending. INVALID_ARGUMENT
// names file and tensor: more than 75 vectors, shapes that do not fit each
// other, values that are no numbers.
absl::StatusOr<LearnedEmbedding> ReadEmbedding(const std::string& path);

// Whether a file may be one, by its ending.
bool IsEmbeddingFile(const std::filesystem::path& path);

// What lies in the configured folders. Immutable; any thread may ask.
class EmbeddingLibrary {
 public:
  EmbeddingLibrary() = default;
  // Sorted by name, the first of equal ones kept.
  explicit EmbeddingLibrary(std::vector<LearnedEmbedding> embeddings);

  // Of these files; one that cannot be read is left out with a warning.
  static EmbeddingLibrary Read(const std::vector<std::string>& files);

  const std::vector<LearnedEmbedding>& embeddings() const {
    return embeddings_;
  }

 private:
  std::vector<LearnedEmbedding> embeddings_;
};

}  // namespace genzo

#endif  // GENZO_WORKER_TEXT_EMBEDDING_LIBRARY_H_
