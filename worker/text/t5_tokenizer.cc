#include "worker/text/t5_tokenizer.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "worker/weights/json_config.h"

namespace genzo {
namespace {

// That of T5 has 790 kB, that of its multilingual sister 4.3 MB.
constexpr size_t kMaxModelBytes = 32 << 20;

// Bytes of a special token, at most.
constexpr size_t kLongestSpecial = 32;

absl::StatusOr<int64_t> ReadSentinels(const TextFile& file) {
  constexpr int64_t kSentinels = 100;
  if (!file.Exists()) return kSentinels;
  auto json = JsonConfig::ReadFile(file);
  if (!json.ok()) return json.status();
  const int64_t sentinels =
      json->Int("extra_ids", kSentinels, /*min=*/0, /*max=*/10'000);
  if (!json->status().ok()) return json->status();
  return sentinels;
}

// With the file's name before what is wrong.
absl::StatusOr<SentencePieces> Named(const TextFile& file,
                                     absl::StatusOr<SentencePieces> pieces) {
  if (pieces.ok()) return pieces;
  return absl::Status(
      pieces.status().code(),
      absl::StrCat(file.path(), ": ", pieces.status().message()));
}

}  // namespace

absl::StatusOr<T5Tokenizer> T5Tokenizer::Read(const ComponentFiles& files) {
  const TextFile model = files.At("spiece.model");
  const TextFile whole = files.At("tokenizer.json");
  const bool in_one = !model.Exists() && whole.Exists();
  auto tokenizer = in_one ? ReadJson(whole)
                          : ReadModel(model, files.At("tokenizer_config.json"));
  if (!tokenizer.ok()) return tokenizer;
  const SentencePieces& pieces = tokenizer->pieces_;
  if (pieces.pad_id() < 0 || pieces.end_id() < 0 || pieces.unknown_id() < 0) {
    return absl::InvalidArgumentError(
        absl::StrCat((in_one ? whole : model).path(),
                     ": has no <pad>, </s> or unknown piece"));
  }
  for (const auto& [content, id] :
       {std::pair("<pad>", pieces.pad_id()), std::pair("</s>", pieces.end_id()),
        std::pair("<unk>", pieces.unknown_id())}) {
    tokenizer->special_.try_emplace(content, id);
  }
  return tokenizer;
}

absl::StatusOr<T5Tokenizer> T5Tokenizer::ReadModel(const TextFile& file,
                                                   const TextFile& config) {
  const auto model = file.Read(kMaxModelBytes);
  if (!model.ok()) return model.status();
  auto pieces = Named(file, SentencePieces::Parse(*model));
  if (!pieces.ok()) return pieces.status();
  const auto sentinels = ReadSentinels(config);
  if (!sentinels.ok()) return sentinels.status();
  T5Tokenizer tokenizer(*std::move(pieces));
  tokenizer.id_end_ = tokenizer.pieces_.size() + *sentinels;
  for (int64_t i = 0; i < *sentinels; ++i) {
    tokenizer.special_[absl::StrCat("<extra_id_", i, ">")] =
        tokenizer.id_end_ - 1 - i;
  }
  return tokenizer;
}

absl::StatusOr<T5Tokenizer> T5Tokenizer::ReadJson(const TextFile& file) {
  const auto json = ReadTokenizerJson(file, "Unigram");
  if (!json.ok()) return json.status();
  auto pieces = Named(file, SentencePieces::Create(*json));
  if (!pieces.ok()) return pieces.status();
  T5Tokenizer tokenizer(*std::move(pieces));
  tokenizer.id_end_ = tokenizer.pieces_.size();
  tokenizer.special_.insert(json->special.begin(), json->special.end());
  return tokenizer;
}

std::vector<int64_t> T5Tokenizer::Encode(std::string_view text) const {
  std::vector<int64_t> ids;
  size_t plain = 0;  // where what is not yet encoded begins
  for (size_t begin = text.find('<'); begin != std::string_view::npos;
       begin = text.find('<', begin + 1)) {
    const std::string_view ahead = text.substr(begin, kLongestSpecial);
    const size_t size = ahead.find('>') + 1;  // 0: no end near enough
    const auto found = special_.find(std::string(ahead.substr(0, size)));
    if (found == special_.end()) continue;
    pieces_.Encode(text.substr(plain, begin - plain), ids);
    ids.push_back(found->second);
    plain = begin + size;
  }
  pieces_.Encode(text.substr(plain), ids);
  ids.push_back(pieces_.end_id());
  return ids;
}

std::vector<int64_t> T5Tokenizer::EncodePadded(std::string_view text,
                                               int64_t length) const {
  std::vector<int64_t> ids = Encode(text);
  const auto size = static_cast<size_t>(length);
  if (ids.size() > size) {
    ids.resize(size);
    ids.back() = pieces_.end_id();
  }
  ids.resize(size, pieces_.pad_id());
  return ids;
}

}  // namespace genzo
