#ifndef GENZO_WORKER_WEIGHTS_SINGLE_FILE_BUILTIN_DOCUMENTS_H_
#define GENZO_WORKER_WEIGHTS_SINGLE_FILE_BUILTIN_DOCUMENTS_H_

#include <map>
#include <string>
#include <string_view>

#include "nlohmann/json.hpp"

namespace genzo {

// What a single file does not hold is in the program: families/NAME.json has
// the pipeline and the configurations of a published model, clip_merges.txt the
// vocabulary that all CLIP text encoders share, t5_tokenizer.json that of T5
// and T5 v1.1 (Raffel et al., arXiv:1910.10683; Apache License 2.0).

// The text of a file in this folder, "families/sd1.json". Empty if there is
// none.
std::string_view BuiltinDocument(std::string_view name);

// A family's document, parsed.
nlohmann::json FamilyDocument(const std::string& family);

// The files of CLIP's tokenizer, padding with `pad_token`, by name.
std::map<std::string, std::string> ClipTokenizerTexts(
    const std::string& pad_token);

// The files of a family's tokenizer, by name, of what its document says of it.
// Empty for a component that is none.
std::map<std::string, std::string> TokenizerTexts(const nlohmann::json& known);

}  // namespace genzo

#endif  // GENZO_WORKER_WEIGHTS_SINGLE_FILE_BUILTIN_DOCUMENTS_H_
