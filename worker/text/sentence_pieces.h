#ifndef GENZO_WORKER_TEXT_SENTENCE_PIECES_H_
#define GENZO_WORKER_TEXT_SENTENCE_PIECES_H_

#include <cstdint>
#include <limits>
#include <string>
#include <string_view>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/statusor.h"
#include "worker/text/tokenizer_json.h"

namespace genzo {

// Replacements of characters, as SentencePiece models carry them: a trie of
// what is replaced (darts-clone's double array) and the texts that stand for
// it. Immutable, thread-safe.
class CharacterMap {
 public:
  // INVALID_ARGUMENT if `bytes` are no map; empty ones replace nothing.
  static absl::StatusOr<CharacterMap> Parse(std::string_view bytes);

  // Takes the longest beginning of `text`, which is not empty, that has a
  // replacement, else its first character: off `text`, and returns what stands
  // for it. A byte that is not UTF-8 becomes U+FFFD.
  std::string_view Next(std::string_view& text) const;

 private:
  // The node that `unit` leads to from `node`; 0 past the end of the trie.
  uint32_t UnitAt(size_t node) const {
    return node < trie_.size() ? trie_[node] : 0;
  }

  std::vector<uint32_t> trie_;
  std::string texts_;  // each ends with a zero
};

// A SentencePiece unigram model (Kudo, arXiv:1804.10959, section 3.1;
// arXiv:1808.06226): texts are cut into the pieces that are likeliest together.
// Ours rather than Debian's library, which brings a Protobuf of its own that
// gets into the way of the other in the process. Immutable, thread-safe.
class SentencePieces {
 public:
  // Of a .model file's bytes. INVALID_ARGUMENT or UNIMPLEMENTED says what is
  // wrong with it.
  static absl::StatusOr<SentencePieces> Parse(const std::string& bytes);
  // Of a tokenizer.json of type "Unigram", whose special tokens are no pieces.
  // INVALID_ARGUMENT says what is wrong with it.
  static absl::StatusOr<SentencePieces> Create(const TokenizerJson& file);

  // Appends the ids of `text`, normalised and cut into pieces. What no piece
  // covers is unknown_id(), one for a run of it.
  void Encode(std::string_view text, std::vector<int64_t>& ids) const;

  int64_t size() const { return size_; }  // ids are below it
  // Of the pieces <pad>, </s> and the unknown one; -1 where there is none.
  int64_t pad_id() const { return pad_id_; }
  int64_t end_id() const { return end_id_; }
  int64_t unknown_id() const { return unknown_id_; }

 private:
  struct Piece {
    int64_t id;
    float score;
  };

  explicit SentencePieces(CharacterMap map) : map_(std::move(map)) {}

  // The next piece of text. INVALID_ARGUMENT names the id.
  absl::Status AddPiece(int64_t id, const std::string& text, double score);
  // Behind the last piece.
  absl::Status Finish();

  std::string Normalize(std::string_view text) const;

  CharacterMap map_;
  bool add_dummy_prefix_ = true;
  absl::flat_hash_map<std::string, Piece> pieces_;
  size_t longest_bytes_ = 0;                                    // of them
  float least_score_ = std::numeric_limits<float>::infinity();  // likewise
  float unknown_score_ = 0;
  int64_t size_ = 0;
  int64_t pad_id_ = -1;
  int64_t end_id_ = -1;
  int64_t unknown_id_ = -1;
};

}  // namespace genzo

#endif  // GENZO_WORKER_TEXT_SENTENCE_PIECES_H_
