#include "worker/text/learned_words.h"

#include "absl/strings/ascii.h"
#include "worker/text/unicode_text.h"

namespace genzo {
namespace {

// Of bytes over 127 nobody asks what they are: all count as letters.
bool IsLetter(char c) {
  return absl::ascii_isalnum(c) || (static_cast<unsigned char>(c) & 0x80) != 0;
}

// Whether one word goes on from `a` to `b`.
bool Joined(char a, char b) { return IsLetter(a) && IsLetter(b); }

// Where `word` stands by itself in `text`; npos if nowhere.
size_t Find(std::string_view text, std::string_view word) {
  for (size_t at = text.find(word); at != text.npos;
       at = text.find(word, at + 1)) {
    const size_t end = at + word.size();
    if (at > 0 && Joined(text[at - 1], word.front())) continue;
    if (end < text.size() && Joined(word.back(), text[end])) continue;
    return at;
  }
  return text.npos;
}

}  // namespace

LearnedWords::LearnedWords(const EmbeddingLibrary& library,
                           const std::vector<int64_t>& widths, size_t encoder,
                           int64_t first_id)
    : first_id_(first_id) {
  for (const LearnedEmbedding& embedding : library.embeddings()) {
    if (!embedding.Fits(widths)) continue;
    const at::Tensor& rows = embedding.vectors[encoder];  // [N, D]
    words_.push_back({NormalizeText(embedding.name),
                      first_id + static_cast<int64_t>(vectors_.size()),
                      rows.size(0)});
    for (int64_t i = 0; i < rows.size(0); ++i) vectors_.push_back(rows[i]);
  }
}

const LearnedWords::Word* LearnedWords::First(std::string_view text,
                                              size_t& position) const {
  const Word* first = nullptr;
  position = text.npos;
  for (const Word& word : words_) {
    const size_t found = Find(text, word.text);
    if (found == text.npos) continue;
    if (first == nullptr || found < position ||
        (found == position && word.text.size() > first->text.size())) {
      first = &word;
      position = found;
    }
  }
  return first;
}

}  // namespace genzo
