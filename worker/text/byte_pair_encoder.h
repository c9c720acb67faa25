#ifndef GENZO_WORKER_TEXT_BYTE_PAIR_ENCODER_H_
#define GENZO_WORKER_TEXT_BYTE_PAIR_ENCODER_H_

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/statusor.h"
#include "nlohmann/json.hpp"
#include "worker/weights/text_file.h"

namespace genzo {

// Byte-level byte-pair encoding with an end-of-word mark, as in CLIP (Sennrich
// et al., arXiv:1508.07909; byte alphabet of GPT-2). Immutable, thread-safe.
class BytePairEncoder {
 public:
  // From vocab.json ("token": id, each id once) and merges.txt (a pair a line,
  // best first). NOT_FOUND or INVALID_ARGUMENT naming the file.
  static absl::StatusOr<BytePairEncoder> Read(const TextFile& vocab,
                                              const TextFile& merges);
  // The same from a tokenizer.json, whose special tokens are tokens, too.
  static absl::StatusOr<BytePairEncoder> Read(const TextFile& tokenizer_json);

  // The id of a whole token, or -1.
  int64_t TokenId(const std::string& token) const;

  // Appends the ids of one word. Bytes that the vocabulary lacks become
  // `unknown_id`. Takes O(n log n) for n bytes.
  void Encode(std::string_view word, int64_t unknown_id,
              std::vector<int64_t>& ids) const;

  // Ids are below this.
  int64_t id_end() const { return id_end_; }

 private:
  struct Merge {
    int64_t rank;
    int64_t id;
  };

  // `path` is what messages call the file.
  absl::Status ReadVocabulary(const nlohmann::json& ids,
                              const std::string& path);
  // Adds the next best pair.
  absl::Status AddMerge(const std::string& left, const std::string& right,
                        const std::string& path);
  absl::Status RequireMerges(const std::string& path) const;

  absl::flat_hash_map<std::string, int64_t> vocabulary_;
  absl::flat_hash_map<std::pair<int64_t, int64_t>, Merge> merges_;
  // Ids of single bytes, inside a word and at its end.
  std::vector<int64_t> byte_ids_;
  std::vector<int64_t> last_byte_ids_;
  int64_t id_end_ = 0;
};

}  // namespace genzo

#endif  // GENZO_WORKER_TEXT_BYTE_PAIR_ENCODER_H_
