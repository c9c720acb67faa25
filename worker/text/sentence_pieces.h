#ifndef GENZO_WORKER_TEXT_SENTENCE_PIECES_H_
#define GENZO_WORKER_TEXT_SENTENCE_PIECES_H_

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace genzo {

// A SentencePiece model (arXiv:1808.06226). In a file of its own that knows
// nothing of Abseil: the library's header declares an absl::string_view that is
// not Debian's. Immutable, thread-safe.
class SentencePieces {
 public:
  // Of the bytes of a .model file; null if they are none, and then `error` says
  // why.
  static std::unique_ptr<const SentencePieces> Parse(const std::string& bytes,
                                                     std::string& error);
  ~SentencePieces();

  // Appends the ids of `text`, normalised and cut into pieces.
  void Encode(std::string_view text, std::vector<int64_t>& ids) const;

  int64_t size() const;                 // ids are below it
  std::string Piece(int64_t id) const;  // of an id
  // Ids of special pieces; below 0 where the model lacks them.
  int64_t pad_id() const;
  int64_t end_id() const;
  int64_t unknown_id() const;

 private:
  class Library;
  explicit SentencePieces(std::unique_ptr<const Library> library);

  const std::unique_ptr<const Library> library_;
};

}  // namespace genzo

#endif  // GENZO_WORKER_TEXT_SENTENCE_PIECES_H_
