#include "worker/text/text_cache.h"

#include <numeric>

namespace genzo {
namespace {

int64_t BytesOf(const TextEmbedding& embedding) {
  return std::accumulate(embedding.begin(), embedding.end(), int64_t{0},
                         [](int64_t sum, const at::Tensor& part) {
                           return sum + static_cast<int64_t>(part.nbytes());
                         });
}

// A copy, or one entry would keep the memory of all.
TextEmbedding RowOf(const std::vector<at::Tensor>& encoded, size_t row) {
  TextEmbedding embedding;
  for (const at::Tensor& part : encoded) {
    embedding.push_back(part.narrow(0, static_cast<int64_t>(row), 1).clone());
  }
  return embedding;
}

}  // namespace

std::vector<TextEmbedding> TextCache::Get(const void* owner,
                                          const std::vector<EncoderText>& texts,
                                          const Encode& encode) {
  // What is asked for together must not push itself out: held here meanwhile.
  std::map<EncoderText, TextEmbedding> found;
  std::map<int64_t, std::vector<std::string>> missing;  // by clip_skip
  for (const EncoderText& text : texts) {
    if (!found.try_emplace(text).second) {
      ++hits_;
      continue;
    }
    const auto entry = entries_.find({owner, text});
    if (entry == entries_.end()) {
      ++misses_;
      missing[text.clip_skip].push_back(text.text);
      continue;
    }
    ++hits_;
    recent_.splice(recent_.begin(), recent_, entry->second.place);
    found[text] = entry->second.embedding;
  }
  for (const auto& [clip_skip, strings] : missing) {
    const std::vector<at::Tensor> encoded = encode(strings, clip_skip);
    for (size_t i = 0; i < strings.size(); ++i) {
      const EncoderText text = {strings[i], clip_skip, texts[0].adapters};
      found[text] = RowOf(encoded, i);
      Insert({owner, text}, found[text]);
    }
  }
  std::vector<TextEmbedding> embeddings;
  embeddings.reserve(texts.size());
  for (const EncoderText& text : texts) embeddings.push_back(found[text]);
  return embeddings;
}

void TextCache::Insert(const Key& key, const TextEmbedding& embedding) {
  recent_.push_front(key);
  entries_[key] = {embedding, recent_.begin()};
  bytes_ += BytesOf(embedding);
  while (bytes_ > max_bytes_ && !recent_.empty()) Erase(Key(recent_.back()));
}

void TextCache::Erase(const Key& key) {
  const auto entry = entries_.find(key);
  bytes_ -= BytesOf(entry->second.embedding);
  recent_.erase(entry->second.place);
  entries_.erase(entry);
}

void TextCache::Clear() {
  entries_.clear();
  recent_.clear();
  bytes_ = 0;
}

std::pair<int64_t, int64_t> TextCache::TakeHitsAndMisses() {
  return {std::exchange(hits_, 0), std::exchange(misses_, 0)};
}

}  // namespace genzo
