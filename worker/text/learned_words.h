#ifndef GENZO_WORKER_TEXT_LEARNED_WORDS_H_
#define GENZO_WORKER_TEXT_LEARNED_WORDS_H_

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "ATen/core/Tensor.h"
#include "worker/text/embedding_library.h"

namespace genzo {

// Words that stand for vectors somebody trained (textual inversion,
// arXiv:2208.01618), as one text encoder reads them: their ids begin behind its
// vocabulary, one a vector, in the library's order. Immutable.
class LearnedWords {
 public:
  struct Word {
    std::string text;  // as NormalizeText() leaves it
    int64_t first_id;
    int64_t vectors;
  };

  LearnedWords() = default;
  // Those of the library that are for models with encoders of these widths, as
  // encoder number `encoder` of them reads them. `first_id` is behind its
  // vocabulary.
  LearnedWords(const EmbeddingLibrary& library,
               const std::vector<int64_t>& widths, size_t encoder,
               int64_t first_id);

  // The first of the words in `text`, which is normalised, the longest at its
  // place; null if there is none. A word that begins or ends with a letter or a
  // digit is not found within another word.
  const Word* First(std::string_view text, size_t& position) const;

  // The vectors of ids from first_id() on, [D] float32 on the CPU each.
  int64_t first_id() const { return first_id_; }
  const std::vector<at::Tensor>& vectors() const { return vectors_; }

 private:
  int64_t first_id_ = 0;
  std::vector<Word> words_;
  std::vector<at::Tensor> vectors_;
};

}  // namespace genzo

#endif  // GENZO_WORKER_TEXT_LEARNED_WORDS_H_
