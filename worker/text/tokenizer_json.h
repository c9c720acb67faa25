#ifndef GENZO_WORKER_TEXT_TOKENIZER_JSON_H_
#define GENZO_WORKER_TEXT_TOKENIZER_JSON_H_

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "nlohmann/json.hpp"
#include "worker/weights/text_file.h"

namespace genzo {

// tokenizer.json, the one file that Hugging Face's tokenizers library writes
// for any tokenizer; transformers 5 saves no vocab.json, merges.txt or
// spiece.model beside it. A value.
struct TokenizerJson {
  nlohmann::json model;  // an object: "vocab" and what else its type has
  // Tokens that are found in texts as they stand, by content and id, at least
  // 0 and below 2^24.
  std::vector<std::pair<std::string, int64_t>> special;
  std::string character_map;  // bytes for CharacterMap; empty: there is none
  bool space_before = true;   // before a text's first word
};

// Reads the file of a model of `type`: "BPE", "Unigram". NOT_FOUND, or
// INVALID_ARGUMENT or UNIMPLEMENTED naming file and key.
absl::StatusOr<TokenizerJson> ReadTokenizerJson(const TextFile& file,
                                                const std::string& type);

}  // namespace genzo

#endif  // GENZO_WORKER_TEXT_TOKENIZER_JSON_H_
