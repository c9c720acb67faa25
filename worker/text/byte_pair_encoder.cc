#include "worker/text/byte_pair_encoder.h"

#include <algorithm>
#include <queue>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "worker/text/tokenizer_json.h"
#include "worker/weights/json_config.h"
#include "worker/weights/json_text.h"

namespace genzo {
namespace {

using nlohmann::json;

constexpr char kEndOfWord[] = "</w>";
constexpr size_t kMaxMergesBytes = 16 << 20;

// GPT-2's printable stand-in for a byte, in UTF-8: printable Latin-1 characters
// stand for themselves, the others for code points from 256 on.
std::string ByteSymbol(int byte) {
  const auto printable = [](int b) {
    return (b >= '!' && b <= '~') || (b >= 0xA1 && b <= 0xAC) ||
           (b >= 0xAE && b <= 0xFF);
  };
  int code_point = byte;
  if (!printable(byte)) {
    code_point = 256;
    for (int b = 0; b < byte; ++b) code_point += printable(b) ? 0 : 1;
  }
  if (code_point < 0x80) return std::string(1, static_cast<char>(code_point));
  return {static_cast<char>(0xC0 | (code_point >> 6)),
          static_cast<char>(0x80 | (code_point & 0x3F))};
}

// A pair of neighbours that may merge. Ordered so that the best is on top of a
// heap: lowest rank, then leftmost.
struct Pair {
  int64_t rank;
  size_t left;
  int64_t left_id;
  int64_t right_id;
  int64_t merged_id;
  bool operator<(const Pair& other) const {
    return std::pair(rank, left) > std::pair(other.rank, other.left);
  }
};

// A symbol of the word being encoded, linked to its neighbours.
struct Symbol {
  int64_t id;
  size_t previous;
  size_t next;
  bool gone = false;
};

constexpr size_t kNone = static_cast<size_t>(-1);

}  // namespace

absl::StatusOr<BytePairEncoder> BytePairEncoder::Read(const TextFile& vocab,
                                                      const TextFile& merges) {
  BytePairEncoder encoder;
  const auto ids = JsonConfig::ReadFile(vocab);
  if (!ids.ok()) return ids.status();
  absl::Status read = encoder.ReadVocabulary(ids->object(), vocab.path());
  if (!read.ok()) return read;
  const auto text = merges.Read(kMaxMergesBytes);
  if (!text.ok()) return text.status();
  for (const absl::string_view with_end : absl::StrSplit(*text, '\n')) {
    // As files have that went through Windows.
    const absl::string_view line = absl::StripSuffix(with_end, "\r");
    if (line.empty() || absl::StartsWith(line, "#version")) continue;
    const std::pair<std::string, std::string> pair =
        absl::StrSplit(line, absl::MaxSplits(' ', 1));
    read = encoder.AddMerge(pair.first, pair.second, merges.path());
    if (!read.ok()) return read;
  }
  read = encoder.RequireMerges(merges.path());
  if (!read.ok()) return read;
  return encoder;
}

absl::StatusOr<BytePairEncoder> BytePairEncoder::Read(
    const TextFile& tokenizer_json) {
  auto file = ReadTokenizerJson(tokenizer_json, "BPE");
  if (!file.ok()) return file.status();
  const std::string& path = tokenizer_json.path();
  json& ids = file->model["vocab"];
  if (!ids.is_object()) {
    return absl::InvalidArgumentError(
        absl::StrCat(path, ": model.vocab is not an object"));
  }
  for (const auto& [content, id] : file->special) ids.emplace(content, id);
  BytePairEncoder encoder;
  absl::Status read = encoder.ReadVocabulary(ids, path);
  if (!read.ok()) return read;
  for (const json& merge : file->model["merges"]) {
    // "a b" until tokenizers 0.20, ["a", "b"] since.
    std::pair<std::string, std::string> pair;
    if (merge.is_string()) {
      pair = absl::StrSplit(merge.get<std::string>(), absl::MaxSplits(' ', 1));
    } else if (merge.is_array() && merge.size() == 2 && merge[0].is_string() &&
               merge[1].is_string()) {
      pair = {merge[0].get<std::string>(), merge[1].get<std::string>()};
    }
    read = encoder.AddMerge(pair.first, pair.second, path);
    if (!read.ok()) return read;
  }
  read = encoder.RequireMerges(path);
  if (!read.ok()) return read;
  return encoder;
}

absl::Status BytePairEncoder::ReadVocabulary(const json& ids,
                                             const std::string& path) {
  const auto invalid = [&](const std::string& token, const std::string& what) {
    return absl::InvalidArgumentError(
        absl::StrCat(path, ": token \"", Shortened(token), "\" ", what));
  };
  absl::flat_hash_map<int64_t, std::string> tokens;
  for (const auto& [token, id] : ids.items()) {
    if (!id.is_number_unsigned() || id.get<uint64_t>() >= (1u << 24)) {
      return invalid(token, "has no id below 2^24");
    }
    const auto [place, is_new] = tokens.try_emplace(id.get<int64_t>(), token);
    if (!is_new) {
      return invalid(token, absl::StrCat("has the id ", place->first, " of \"",
                                         Shortened(place->second), "\""));
    }
    vocabulary_[token] = place->first;
    id_end_ = std::max(id_end_, place->first + 1);
  }
  for (int byte = 0; byte < 256; ++byte) {
    const std::string symbol = ByteSymbol(byte);
    byte_ids_.push_back(TokenId(symbol));
    last_byte_ids_.push_back(TokenId(symbol + kEndOfWord));
  }
  return absl::OkStatus();
}

absl::Status BytePairEncoder::AddMerge(const std::string& left,
                                       const std::string& right,
                                       const std::string& path) {
  const int64_t merged = TokenId(left + right);
  if (right.empty() || TokenId(left) < 0 || TokenId(right) < 0 || merged < 0) {
    return absl::InvalidArgumentError(absl::StrCat(
        path, ": \"",
        Shortened(right.empty() ? left : absl::StrCat(left, " ", right)),
        "\" is not a pair of tokens whose union is a token"));
  }
  const auto rank = static_cast<int64_t>(merges_.size());
  merges_.try_emplace({TokenId(left), TokenId(right)}, Merge{rank, merged});
  return absl::OkStatus();
}

absl::Status BytePairEncoder::RequireMerges(const std::string& path) const {
  if (!merges_.empty()) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat(path, ": has no pair of tokens"));
}

int64_t BytePairEncoder::TokenId(const std::string& token) const {
  const auto found = vocabulary_.find(token);
  return found == vocabulary_.end() ? -1 : found->second;
}

void BytePairEncoder::Encode(std::string_view word, int64_t unknown_id,
                             std::vector<int64_t>& ids) const {
  std::vector<Symbol> symbols;
  for (size_t i = 0; i < word.size(); ++i) {
    const auto byte = static_cast<unsigned char>(word[i]);
    const bool last = i + 1 == word.size();
    symbols.push_back({last ? last_byte_ids_[byte] : byte_ids_[byte],
                       i == 0 ? kNone : i - 1, last ? kNone : i + 1});
  }
  std::priority_queue<Pair> pairs;
  const auto consider = [&](size_t left) {
    if (left == kNone || symbols[left].next == kNone) return;
    const int64_t left_id = symbols[left].id;
    const int64_t right_id = symbols[symbols[left].next].id;
    const auto found = merges_.find({left_id, right_id});
    if (found == merges_.end()) return;
    pairs.push({found->second.rank, left, left_id, right_id, found->second.id});
  };
  for (size_t i = 0; i < symbols.size(); ++i) consider(i);
  while (!pairs.empty()) {
    const Pair pair = pairs.top();
    pairs.pop();
    Symbol& left = symbols[pair.left];
    // Entries of pairs that have merged with others since are stale.
    if (left.gone || left.id != pair.left_id || left.next == kNone ||
        symbols[left.next].id != pair.right_id) {
      continue;
    }
    Symbol& right = symbols[left.next];
    right.gone = true;
    left.id = pair.merged_id;
    left.next = right.next;
    if (left.next != kNone) symbols[left.next].previous = pair.left;
    consider(left.previous);
    consider(pair.left);
  }
  for (const Symbol& symbol : symbols) {
    if (!symbol.gone) ids.push_back(symbol.id < 0 ? unknown_id : symbol.id);
  }
}

}  // namespace genzo
