#include "worker/text/sentence_pieces.h"

#include <sentencepiece_processor.h>

#include <utility>

namespace genzo {

class SentencePieces::Library : public sentencepiece::SentencePieceProcessor {};

SentencePieces::SentencePieces(std::unique_ptr<const Library> library)
    : library_(std::move(library)) {}
SentencePieces::~SentencePieces() = default;

std::unique_ptr<const SentencePieces> SentencePieces::Parse(
    const std::string& bytes, std::string& error) {
  auto library = std::make_unique<Library>();
  const auto loaded = library->LoadFromSerializedProto(bytes);
  if (!loaded.ok()) {
    error = loaded.ToString();
    return nullptr;
  }
  return std::unique_ptr<const SentencePieces>(
      new SentencePieces(std::move(library)));
}

void SentencePieces::Encode(std::string_view text,
                            std::vector<int64_t>& ids) const {
  std::vector<int> encoded;
  // Fails only before a model is loaded.
  if (!library_->Encode(text, &encoded).ok()) return;
  ids.insert(ids.end(), encoded.begin(), encoded.end());
}

int64_t SentencePieces::size() const { return library_->GetPieceSize(); }

std::string SentencePieces::Piece(int64_t id) const {
  return library_->IdToPiece(static_cast<int>(id));
}

int64_t SentencePieces::pad_id() const { return library_->pad_id(); }
int64_t SentencePieces::end_id() const { return library_->eos_id(); }
int64_t SentencePieces::unknown_id() const { return library_->unk_id(); }

}  // namespace genzo
