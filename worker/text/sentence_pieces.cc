#include "worker/text/sentence_pieces.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <utility>

#include "absl/container/flat_hash_set.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "genzo/internal/v1/sentence_piece_model.pb.h"

namespace genzo {
namespace {

using Model = internal::v1::SentencePieceModel;

constexpr char kSpace[] = "\xE2\x96\x81";        // U+2581
constexpr char kReplacement[] = "\xEF\xBF\xBD";  // U+FFFD
enum PieceType { kNormal = 1, kUnknown = 2, kControl = 3 };
constexpr int kUnigram = 1;
// How much less likely an unknown character is than the least likely piece.
constexpr float kUnknownPenalty = 10;
constexpr size_t kLongestPieceBytes = 256;
constexpr char kPad[] = "<pad>";
constexpr char kEnd[] = "</s>";

// Bytes of the character that `text` begins with, as its first byte says.
size_t CharacterBytes(std::string_view text) {
  const auto first = static_cast<unsigned char>(text[0]);
  const size_t bytes = first < 0x80   ? 1
                       : first < 0xE0 ? 2
                       : first < 0xF0 ? 3
                                      : 4;
  return std::min(bytes, text.size());
}

// The same for a text that may not be UTF-8; 0 where it is not.
size_t ValidCharacterBytes(std::string_view text) {
  const auto at = [&](size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned char first = at(0);
  if (first < 0x80) return 1;
  const size_t bytes = first < 0xC2   ? 0
                       : first < 0xE0 ? 2
                       : first < 0xF0 ? 3
                       : first < 0xF5 ? 4
                                      : 0;
  if (bytes == 0 || text.size() < bytes) return 0;
  for (size_t i = 1; i < bytes; ++i) {
    if ((at(i) & 0xC0) != 0x80) return 0;
  }
  const bool overlong =
      (first == 0xE0 && at(1) < 0xA0) || (first == 0xF0 && at(1) < 0x90);
  const bool beyond = (first == 0xED && at(1) > 0x9F) ||  // surrogates
                      (first == 0xF4 && at(1) > 0x8F);
  return overlong || beyond ? 0 : bytes;
}

// Parts of a unit of darts-clone's double array.
bool HasLeaf(uint32_t unit) { return (unit >> 8 & 1) == 1; }
uint32_t ValueOf(uint32_t unit) { return unit & 0x7FFFFFFFU; }
uint32_t LabelOf(uint32_t unit) { return unit & (0x80000000U | 0xFFU); }
uint32_t OffsetOf(uint32_t unit) {
  return (unit >> 10) << ((unit & (1U << 9)) >> 6);
}

absl::Status BrokenPiece(int64_t id) {
  return absl::InvalidArgumentError(absl::StrCat("piece ", id, " is broken"));
}

// The likeliest way to the end of a beginning of a text.
struct Way {
  float score = -std::numeric_limits<float>::infinity();
  size_t from = 0;
  int64_t id = -1;
};

}  // namespace

absl::StatusOr<CharacterMap> CharacterMap::Parse(std::string_view bytes) {
  CharacterMap map;
  if (bytes.empty()) return map;
  uint32_t trie_bytes = 0;
  if (bytes.size() >= sizeof(trie_bytes)) {
    std::memcpy(&trie_bytes, bytes.data(), sizeof(trie_bytes));
    bytes.remove_prefix(sizeof(trie_bytes));
  }
  if (trie_bytes == 0 || trie_bytes > bytes.size() ||
      trie_bytes % sizeof(uint32_t) != 0 || bytes.back() != '\0') {
    return absl::InvalidArgumentError("precompiled_charsmap is broken");
  }
  map.trie_.resize(trie_bytes / sizeof(uint32_t));
  std::memcpy(map.trie_.data(), bytes.data(), trie_bytes);
  map.texts_ = std::string(bytes.substr(trie_bytes));
  return map;
}

std::string_view CharacterMap::Next(std::string_view& text) const {
  size_t taken = 0;
  uint32_t value = 0;
  size_t node = OffsetOf(UnitAt(0));
  for (size_t i = 0; i < text.size(); ++i) {
    const auto byte = static_cast<unsigned char>(text[i]);
    node ^= byte;
    const uint32_t unit = UnitAt(node);
    if (LabelOf(unit) != byte) break;
    node ^= OffsetOf(unit);
    if (!HasLeaf(unit)) continue;
    taken = i + 1;
    value = ValueOf(UnitAt(node));
  }
  if (taken > 0 && value < texts_.size()) {
    text.remove_prefix(taken);
    return texts_.c_str() + value;
  }
  const size_t bytes = ValidCharacterBytes(text);
  const std::string_view character =
      bytes == 0 ? std::string_view(kReplacement) : text.substr(0, bytes);
  text.remove_prefix(std::max<size_t>(bytes, 1));
  return character;
}

absl::StatusOr<SentencePieces> SentencePieces::Parse(const std::string& bytes) {
  Model model;
  if (!model.ParseFromString(bytes) || model.pieces().empty()) {
    return absl::InvalidArgumentError("is not a SentencePiece model");
  }
  const Model::TrainerSpec& trainer = model.trainer_spec();
  const Model::NormalizerSpec& normalizer = model.normalizer_spec();
  const auto is_true = [](bool has, bool value) { return !has || value; };
  if ((trainer.has_model_type() && trainer.model_type() != kUnigram) ||
      !is_true(normalizer.has_remove_extra_whitespaces(),
               normalizer.remove_extra_whitespaces()) ||
      !is_true(normalizer.has_escape_whitespaces(),
               normalizer.escape_whitespaces())) {
    return absl::UnimplementedError(
        "is not a unigram model that removes and escapes spaces");
  }
  auto map = CharacterMap::Parse(normalizer.precompiled_charsmap());
  if (!map.ok()) return map.status();
  SentencePieces pieces(*std::move(map));
  pieces.add_dummy_prefix_ =
      is_true(normalizer.has_add_dummy_prefix(), normalizer.add_dummy_prefix());
  pieces.size_ = model.pieces_size();
  for (int64_t id = 0; id < pieces.size_; ++id) {
    const Model::Piece& piece = model.pieces(static_cast<int>(id));
    const int type = piece.has_type() ? piece.type() : kNormal;
    const std::string& text = piece.piece();
    if (type == kUnknown) pieces.unknown_id_ = id;
    if (type == kControl && text == kPad) pieces.pad_id_ = id;
    if (type == kControl && text == kEnd) pieces.end_id_ = id;
    if (type != kNormal) continue;
    const absl::Status added = pieces.AddPiece(id, text, piece.score());
    if (!added.ok()) return added;
  }
  const absl::Status finished = pieces.Finish();
  if (!finished.ok()) return finished;
  return pieces;
}

absl::StatusOr<SentencePieces> SentencePieces::Create(
    const TokenizerJson& file) {
  auto map = CharacterMap::Parse(file.character_map);
  if (!map.ok()) return map.status();
  SentencePieces pieces(*std::move(map));
  pieces.add_dummy_prefix_ = file.space_before;
  absl::flat_hash_set<int64_t> special;
  for (const auto& [content, id] : file.special) {
    special.insert(id);
    if (content == kPad) pieces.pad_id_ = id;
    if (content == kEnd) pieces.end_id_ = id;
    pieces.size_ = std::max(pieces.size_, id + 1);
  }
  const auto unknown = file.model.find("unk_id");
  const auto vocabulary = file.model.find("vocab");
  if (unknown == file.model.end() || !unknown->is_number_unsigned() ||
      vocabulary == file.model.end() || !vocabulary->is_array() ||
      unknown->get<uint64_t>() >= vocabulary->size()) {
    return absl::InvalidArgumentError("model.vocab has no model.unk_id");
  }
  pieces.unknown_id_ = unknown->get<int64_t>();
  int64_t id = -1;
  for (const nlohmann::json& piece : *vocabulary) {
    ++id;
    if (special.contains(id) || id == pieces.unknown_id_) continue;
    const bool is_piece = piece.is_array() && piece.size() == 2 &&
                          piece[0].is_string() && piece[1].is_number();
    const absl::Status added =
        is_piece ? pieces.AddPiece(id, piece[0].get<std::string>(),
                                   piece[1].get<double>())
                 : BrokenPiece(id);
    if (!added.ok()) return added;
  }
  pieces.size_ = std::max(pieces.size_, id + 1);
  const absl::Status finished = pieces.Finish();
  if (!finished.ok()) return finished;
  return pieces;
}

absl::Status SentencePieces::AddPiece(int64_t id, const std::string& text,
                                      double score) {
  if (text.empty() || text.size() > kLongestPieceBytes ||
      !(std::abs(score) < 1e6)) {
    return BrokenPiece(id);
  }
  const auto narrow = static_cast<float>(score);
  pieces_.try_emplace(text, Piece{id, narrow});
  longest_bytes_ = std::max(longest_bytes_, text.size());
  least_score_ = std::min(least_score_, narrow);
  return absl::OkStatus();
}

absl::Status SentencePieces::Finish() {
  if (pieces_.empty()) {
    return absl::InvalidArgumentError("has no pieces of text");
  }
  unknown_score_ = least_score_ - kUnknownPenalty;
  return absl::OkStatus();
}

std::string SentencePieces::Normalize(std::string_view text) const {
  std::string normalized;
  bool after_space = true;  // the beginning counts as one
  while (!text.empty()) {
    std::string_view next = map_.Next(text);
    while (after_space && !next.empty() && next.front() == ' ') {
      next.remove_prefix(1);
    }
    if (next.empty()) continue;
    if (normalized.empty() && add_dummy_prefix_) normalized = kSpace;
    for (const char c : next) {
      if (c == ' ') {
        normalized += kSpace;
      } else {
        normalized += c;
      }
    }
    after_space = next.back() == ' ';
  }
  while (absl::EndsWith(normalized, kSpace)) {
    normalized.resize(normalized.size() - std::strlen(kSpace));
  }
  return normalized;
}

void SentencePieces::Encode(std::string_view text,
                            std::vector<int64_t>& ids) const {
  const std::string normalized = Normalize(text);
  const std::string_view all = normalized;
  std::vector<Way> ways(all.size() + 1);
  ways[0].score = 0;
  const auto offer = [&](size_t from, size_t bytes, int64_t id, float score) {
    Way& way = ways[from + bytes];
    const float total = ways[from].score + score;
    if (total > way.score) way = {.score = total, .from = from, .id = id};
  };
  for (size_t from = 0; from < all.size();) {
    const std::string_view left = all.substr(from);
    const size_t character = CharacterBytes(left);
    bool covered = false;  // the character by itself
    for (size_t bytes = character;
         bytes <= std::min(longest_bytes_, left.size());) {
      const auto found = pieces_.find(absl::string_view(left.data(), bytes));
      if (found != pieces_.end()) {
        offer(from, bytes, found->second.id, found->second.score);
        covered = covered || bytes == character;
      }
      if (bytes == left.size()) break;
      bytes += CharacterBytes(left.substr(bytes));
    }
    if (!covered) offer(from, character, unknown_id_, unknown_score_);
    from += character;
  }
  std::vector<int64_t> backwards;
  for (size_t at = all.size(); at > 0; at = ways[at].from) {
    const bool goes_on = ways[at].id == unknown_id_ && !backwards.empty() &&
                         backwards.back() == unknown_id_;
    if (!goes_on) backwards.push_back(ways[at].id);
  }
  ids.insert(ids.end(), backwards.rbegin(), backwards.rend());
}

}  // namespace genzo
