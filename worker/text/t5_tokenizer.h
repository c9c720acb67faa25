#ifndef GENZO_WORKER_TEXT_T5_TOKENIZER_H_
#define GENZO_WORKER_TEXT_T5_TOKENIZER_H_

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/statusor.h"
#include "worker/text/sentence_pieces.h"
#include "worker/weights/component_files.h"

namespace genzo {

// T5's tokenizer with the ids of transformers' T5Tokenizer: a SentencePiece
// unigram model, and behind its pieces the sentinels <extra_id_0>, the last id,
// to <extra_id_99>. Special tokens that stand in a text become their ids, and
// what is between two of them is a text of its own. Immutable, thread-safe.
class T5Tokenizer {
 public:
  // Reads spiece.model and, if it is there, tokenizer_config.json; where there
  // is no spiece.model tokenizer.json, which has the sentinels too. NOT_FOUND,
  // INVALID_ARGUMENT or UNIMPLEMENTED naming the file.
  static absl::StatusOr<T5Tokenizer> Read(const ComponentFiles& files);

  // Ids of `text` and the end token, however many.
  std::vector<int64_t> Encode(std::string_view text) const;

  // Encode() cut or padded to `length`, at least 1. Over-long text loses its
  // end, not its end token.
  std::vector<int64_t> EncodePadded(std::string_view text,
                                    int64_t length) const;

  // Ids are below this.
  int64_t id_end() const { return id_end_; }

 private:
  explicit T5Tokenizer(SentencePieces pieces) : pieces_(std::move(pieces)) {}

  static absl::StatusOr<T5Tokenizer> ReadModel(const TextFile& file,
                                               const TextFile& config);
  static absl::StatusOr<T5Tokenizer> ReadJson(const TextFile& file);

  SentencePieces pieces_;
  absl::flat_hash_map<std::string, int64_t> special_;  // "<...>" each
  int64_t id_end_ = 0;
};

}  // namespace genzo

#endif  // GENZO_WORKER_TEXT_T5_TOKENIZER_H_
