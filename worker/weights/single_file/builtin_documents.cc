#include "worker/weights/single_file/builtin_documents.h"

#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"

namespace genzo {
namespace {

using nlohmann::json;

constexpr char kEnd[] = "<|endoftext|>";
constexpr char kStart[] = "<|startoftext|>";

// A code point below U+0800 in UTF-8.
std::string Utf8(int code_point) {
  if (code_point < 0x80) return std::string(1, static_cast<char>(code_point));
  return {static_cast<char>(0xC0 | (code_point >> 6)),
          static_cast<char>(0x80 | (code_point & 0x3F))};
}

// The signs that stand for bytes in the vocabulary, in its order: first those
// that print, as themselves.
std::vector<std::string> ByteSigns() {
  std::vector<std::string> signs;
  for (const auto& [begin, end] :
       {std::pair(0x21, 0x7E), std::pair(0xA1, 0xAC), std::pair(0xAE, 0xFF)}) {
    for (int byte = begin; byte <= end; ++byte) signs.push_back(Utf8(byte));
  }
  for (int code_point = 256; signs.size() < 256; ++code_point) {
    signs.push_back(Utf8(code_point));
  }
  return signs;
}

// As open_clip builds it of the merges: bytes, bytes that end a word, one token
// a merge, the two special ones.
std::string ClipVocabulary(const std::string& merges) {
  std::vector<std::string> tokens = ByteSigns();
  for (size_t i = 0; i < 256; ++i) tokens.push_back(tokens[i] + "</w>");
  for (const absl::string_view line : absl::StrSplit(merges, '\n')) {
    if (line.empty() || absl::StartsWith(line, "#version")) continue;
    tokens.push_back(absl::StrReplaceAll(line, {{" ", ""}}));
  }
  tokens.push_back(kStart);
  tokens.push_back(kEnd);
  json vocabulary = json::object();
  for (size_t id = 0; id < tokens.size(); ++id) vocabulary[tokens[id]] = id;
  return vocabulary.dump();
}

}  // namespace

nlohmann::json FamilyDocument(const std::string& family) {
  return json::parse(
      BuiltinDocument(absl::StrCat("families/", family, ".json")));
}

std::map<std::string, std::string> ClipTokenizerTexts(
    const std::string& pad_token) {
  const std::string merges(BuiltinDocument("clip_merges.txt"));
  const json special = {{"bos_token", kStart},
                        {"eos_token", kEnd},
                        {"unk_token", kEnd},
                        {"pad_token", pad_token}};
  json config = special;
  config["tokenizer_class"] = "CLIPTokenizer";
  config["model_max_length"] = 77;
  config["do_lower_case"] = true;
  config["add_prefix_space"] = false;
  config["errors"] = "replace";
  return {{"vocab.json", ClipVocabulary(merges)},
          {"merges.txt", merges},
          {"special_tokens_map.json", special.dump(2)},
          {"tokenizer_config.json", config.dump(2)}};
}

std::map<std::string, std::string> TokenizerTexts(const json& known) {
  if (known["class"] == "CLIPTokenizer") {
    return ClipTokenizerTexts(known["pad_token"]);
  }
  if (known["class"] != "T5TokenizerFast") return {};
  const json config = {{"tokenizer_class", "T5TokenizerFast"},
                       {"model_max_length", 512},
                       {"extra_ids", 100},
                       {"eos_token", "</s>"},
                       {"pad_token", "<pad>"},
                       {"unk_token", "<unk>"}};
  return {{"tokenizer.json", std::string(BuiltinDocument("t5_tokenizer.json"))},
          {"tokenizer_config.json", config.dump(2)}};
}

}  // namespace genzo
