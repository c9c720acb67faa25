#ifndef GENZO_WORKER_PIPELINE_TEXT_CACHE_H_
#define GENZO_WORKER_PIPELINE_TEXT_CACHE_H_

#include <cstdint>
#include <list>
#include <map>
#include <string>
#include <tuple>
#include <vector>

#include "worker/pipeline/stable_diffusion.h"

namespace genzo {

// Embeddings of texts, encoded together where several are missing and kept
// while they fit: the least recently used go first. The empty prompt and
// popular negative prompts are encoded once. Used by one step thread.
class TextCache {
 public:
  explicit TextCache(int64_t max_bytes) : max_bytes_(max_bytes) {}

  // A text as a model reads it.
  struct Text {
    std::string text;
    int64_t clip_skip = 0;
    auto operator<=>(const Text&) const = default;
  };

  // One embedding [1, 77, D] a text.
  std::vector<at::Tensor> Encode(const DiffusionModel& model,
                                 const std::vector<Text>& texts);

  // Drops everything, as when a model leaves.
  void Clear();

  int64_t bytes() const { return bytes_; }
  // Texts that were asked for and found, or not, since the last call.
  std::pair<int64_t, int64_t> TakeHitsAndMisses();

 private:
  using Key = std::pair<const DiffusionModel*, Text>;
  struct Entry {
    at::Tensor embedding;
    std::list<Key>::iterator place;
  };

  void Insert(const Key& key, const at::Tensor& embedding);
  void Erase(const Key& key);

  const int64_t max_bytes_;
  int64_t bytes_ = 0;
  int64_t hits_ = 0;
  int64_t misses_ = 0;
  std::list<Key> recent_;  // the most recently used first
  std::map<Key, Entry> entries_;
};

// The texts of one run in the order of its rows: `negative_prompt` first where
// `guided`. As in the reference pipeline, `clip_skip` does not touch it.
std::vector<TextCache::Text> PromptTexts(const std::string& prompt,
                                         const std::string& negative_prompt,
                                         bool guided, int64_t clip_skip);

}  // namespace genzo

#endif  // GENZO_WORKER_PIPELINE_TEXT_CACHE_H_
