#ifndef GENZO_WORKER_TEXT_TEXT_CACHE_H_
#define GENZO_WORKER_TEXT_TEXT_CACHE_H_

#include <cstdint>
#include <functional>
#include <list>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "ATen/core/Tensor.h"

namespace genzo {

// A text as an encoder reads it.
struct EncoderText {
  std::string text;
  int64_t clip_skip = 0;      // of the encoder's last layers
  std::string adapters = {};  // what the encoder is adapted by; empty: nothing
  auto operator<=>(const EncoderText&) const = default;
};

// What an encoder makes of a text: hidden states [1, L, D], for some families a
// pooled vector [1, P] behind them.
using TextEmbedding = std::vector<at::Tensor>;

// Embeddings of texts, encoded together where several are missing and kept
// while they fit: the least recently used go first. The empty prompt and
// popular negative prompts are encoded once. Used by one thread.
class TextCache {
 public:
  explicit TextCache(int64_t max_bytes) : max_bytes_(max_bytes) {}

  // Texts of one clip_skip and adapters -> one tensor [texts, ...] for each
  // part of an embedding.
  using Encode = std::function<std::vector<at::Tensor>(
      const std::vector<std::string>& texts, int64_t clip_skip)>;

  // One embedding a text, in order; all of them of the same adapters. `owner`
  // tells encoders apart. Exceptions
  // are those of `encode`, and then nothing is kept of this call.
  std::vector<TextEmbedding> Get(const void* owner,
                                 const std::vector<EncoderText>& texts,
                                 const Encode& encode);

  // Drops everything, as when a model leaves.
  void Clear();

  int64_t bytes() const { return bytes_; }
  // Texts that were asked for and found, or not, since the last call.
  std::pair<int64_t, int64_t> TakeHitsAndMisses();

 private:
  using Key = std::pair<const void*, EncoderText>;
  struct Entry {
    TextEmbedding embedding;
    std::list<Key>::iterator place;
  };

  void Insert(const Key& key, const TextEmbedding& embedding);
  void Erase(const Key& key);

  const int64_t max_bytes_;
  int64_t bytes_ = 0;
  int64_t hits_ = 0;
  int64_t misses_ = 0;
  std::list<Key> recent_;  // the most recently used first
  std::map<Key, Entry> entries_;
};

}  // namespace genzo

#endif  // GENZO_WORKER_TEXT_TEXT_CACHE_H_
