#include "worker/text/clip_tokenizer.h"

#include "absl/strings/str_cat.h"
#include "worker/text/learned_words.h"
#include "worker/text/unicode_text.h"
#include "worker/weights/json_config.h"
#include "worker/weights/json_text.h"

namespace genzo {
namespace {

using nlohmann::json;

// A special token is written as a string or as an object with its content.
void ReadTokenContent(const json& object, const std::string& key,
                      std::string& content) {
  const auto found = object.find(key);
  if (found == object.end()) return;
  if (found->is_string()) content = found->get<std::string>();
  if (found->is_object() && found->contains("content") &&
      (*found)["content"].is_string()) {
    content = (*found)["content"].get<std::string>();
  }
}

}  // namespace

absl::StatusOr<ClipTokenizer> ClipTokenizer::Read(const ComponentFiles& files) {
  const TextFile whole = files.At("tokenizer.json");
  TextFile vocabulary = files.At("vocab.json");
  const bool in_one = !vocabulary.Exists() && whole.Exists();
  if (in_one) vocabulary = whole;
  auto encoder =
      in_one ? BytePairEncoder::Read(whole)
             : BytePairEncoder::Read(vocabulary, files.At("merges.txt"));
  if (!encoder.ok()) return encoder.status();
  ClipTokenizer tokenizer(*std::move(encoder));
  tokenizer.bos_.content = "<|startoftext|>";
  tokenizer.eos_.content = "<|endoftext|>";
  std::string pad;
  std::string unknown = "<|endoftext|>";
  for (const char* name :
       {"tokenizer_config.json", "special_tokens_map.json"}) {
    const TextFile file = files.At(name);
    if (!file.Exists()) continue;
    auto config = JsonConfig::ReadFile(file);
    if (!config.ok()) return config.status();
    ReadTokenContent(config->object(), "bos_token", tokenizer.bos_.content);
    ReadTokenContent(config->object(), "eos_token", tokenizer.eos_.content);
    ReadTokenContent(config->object(), "pad_token", pad);
    ReadTokenContent(config->object(), "unk_token", unknown);
    tokenizer.model_max_length_ =
        config->Int("model_max_length", tokenizer.model_max_length_, /*min=*/3);
    if (!config->status().ok()) return config->status();
  }
  tokenizer.pad_.content = pad.empty() ? tokenizer.eos_.content : pad;
  // The reference looks for the start token in normalised text; for a token
  // that also pads in raw text, because padding tokens are declared so.
  tokenizer.bos_.in_normalized_text = true;
  tokenizer.eos_.in_normalized_text =
      tokenizer.pad_.content != tokenizer.eos_.content;
  for (SpecialToken* token :
       {&tokenizer.bos_, &tokenizer.eos_, &tokenizer.pad_}) {
    const absl::Status found =
        tokenizer.FindSpecialToken(vocabulary.path(), *token);
    if (!found.ok()) return found;
  }
  const int64_t unknown_id = tokenizer.encoder_.TokenId(unknown);
  tokenizer.unknown_id_ = unknown_id < 0 ? tokenizer.eos_.id : unknown_id;
  return tokenizer;
}

absl::Status ClipTokenizer::FindSpecialToken(const std::string& vocabulary,
                                             SpecialToken& token) const {
  // An empty one would be found everywhere.
  token.id = token.content.empty() ? -1 : encoder_.TokenId(token.content);
  if (token.id >= 0) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat(vocabulary, ": special token \"", Shortened(token.content),
                   "\" is missing"));
}

std::vector<int64_t> ClipTokenizer::Encode(std::string_view text) const {
  std::vector<int64_t> ids = {bos_.id};
  AppendRaw(text, /*learned=*/nullptr, ids);
  ids.push_back(eos_.id);
  return ids;
}

std::vector<int64_t> ClipTokenizer::EncodeWords(
    std::string_view text, const LearnedWords* learned) const {
  std::vector<int64_t> ids;
  AppendRaw(text, learned, ids);
  return ids;
}

std::vector<int64_t> ClipTokenizer::EncodePadded(std::string_view text) const {
  std::vector<int64_t> ids = Encode(text);
  const bool cut = ids.size() > static_cast<size_t>(model_max_length_);
  ids.resize(model_max_length_, pad_.id);
  if (cut) ids.back() = eos_.id;
  return ids;
}

const ClipTokenizer::SpecialToken* ClipTokenizer::FirstSpecial(
    std::string_view text, bool normalized, size_t& position) const {
  const SpecialToken* first = nullptr;
  position = std::string_view::npos;
  for (const SpecialToken* token : {&bos_, &eos_, &pad_}) {
    if (token->in_normalized_text != normalized) continue;
    const size_t found = text.find(token->content);
    if (found == std::string_view::npos) continue;
    const bool better =
        first == nullptr || found < position ||
        (found == position && token->content.size() > first->content.size());
    if (!better) continue;
    first = token;
    position = found;
  }
  return first;
}

void ClipTokenizer::AppendRaw(std::string_view text,
                              const LearnedWords* learned,
                              std::vector<int64_t>& ids) const {
  size_t position = 0;
  while (const SpecialToken* token =
             FirstSpecial(text, /*normalized=*/false, position)) {
    AppendNormalized(NormalizeText(text.substr(0, position)), learned, ids);
    ids.push_back(token->id);
    text.remove_prefix(position + token->content.size());
  }
  AppendNormalized(NormalizeText(text), learned, ids);
}

void ClipTokenizer::AppendNormalized(std::string_view text,
                                     const LearnedWords* learned,
                                     std::vector<int64_t>& ids) const {
  size_t position = 0;
  while (const LearnedWords::Word* word =
             learned == nullptr ? nullptr : learned->First(text, position)) {
    AppendPlain(text.substr(0, position), ids);
    for (int64_t i = 0; i < word->vectors; ++i) {
      ids.push_back(word->first_id + i);
    }
    text.remove_prefix(position + word->text.size());
  }
  AppendPlain(text, ids);
}

void ClipTokenizer::AppendPlain(std::string_view text,
                                std::vector<int64_t>& ids) const {
  const auto append_words = [&](std::string_view words) {
    for (const std::string& word : SplitWords(words)) {
      encoder_.Encode(word, unknown_id_, ids);
    }
  };
  size_t position = 0;
  while (const SpecialToken* token =
             FirstSpecial(text, /*normalized=*/true, position)) {
    append_words(text.substr(0, position));
    ids.push_back(token->id);
    text.remove_prefix(position + token->content.size());
  }
  append_words(text);
}

}  // namespace genzo
