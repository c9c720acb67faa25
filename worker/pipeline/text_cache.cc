#include "worker/pipeline/text_cache.h"

#include <set>
#include <utility>

namespace genzo {

std::vector<at::Tensor> TextCache::Encode(const DiffusionModel& model,
                                          const std::vector<Text>& texts) {
  // What is asked for together must not push itself out: held here meanwhile.
  std::map<Text, at::Tensor> found;
  std::map<int64_t, std::vector<std::string>> missing;  // by clip_skip
  for (const Text& text : texts) {
    if (!found.try_emplace(text).second) {
      ++hits_;
      continue;
    }
    const auto entry = entries_.find({&model, text});
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
    const at::Tensor encoded = model.EncodeTexts(strings, clip_skip);
    for (size_t i = 0; i < strings.size(); ++i) {
      const Text text = {strings[i], clip_skip};
      // A copy, or one entry would keep the memory of all.
      found[text] = encoded.narrow(0, static_cast<int64_t>(i), 1).clone();
      Insert({&model, text}, found[text]);
    }
  }
  std::vector<at::Tensor> embeddings;
  embeddings.reserve(texts.size());
  for (const Text& text : texts) embeddings.push_back(found[text]);
  return embeddings;
}

void TextCache::Insert(const Key& key, const at::Tensor& embedding) {
  recent_.push_front(key);
  entries_[key] = {embedding, recent_.begin()};
  bytes_ += static_cast<int64_t>(embedding.nbytes());
  while (bytes_ > max_bytes_ && !recent_.empty()) Erase(Key(recent_.back()));
}

void TextCache::Erase(const Key& key) {
  const auto entry = entries_.find(key);
  bytes_ -= static_cast<int64_t>(entry->second.embedding.nbytes());
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

std::vector<TextCache::Text> PromptTexts(const std::string& prompt,
                                         const std::string& negative_prompt,
                                         bool guided, int64_t clip_skip) {
  std::vector<TextCache::Text> texts;
  if (guided) texts.push_back({negative_prompt, /*clip_skip=*/0});
  texts.push_back({prompt, clip_skip});
  return texts;
}

}  // namespace genzo
