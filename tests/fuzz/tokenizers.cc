// Any bytes as a text for CLIP's tokenizer, as a vocabulary with merges, and as
// T5's pieces with a text, and as the one file that may hold either.

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <string>

#include "worker/text/clip_tokenizer.h"
#include "worker/text/t5_tokenizer.h"
#include "worker/weights/single_file/builtin_documents.h"

namespace {

genzo::ComponentFiles Files(std::map<std::string, std::string> texts) {
  return genzo::ComponentFiles("tokenizer", std::move(texts),
                               /*tensors=*/nullptr, /*folder=*/"");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const auto* const clip =
      new genzo::ClipTokenizer(*genzo::ClipTokenizer::Read(
          Files(genzo::ClipTokenizerTexts("<|endoftext|>"))));
  const std::string text(reinterpret_cast<const char*>(data), size);
  for (const int64_t id : clip->Encode(text)) {
    if (id < 0 || id >= clip->id_end()) std::abort();
  }
  // vocab.json, merges.txt, tokenizer_config.json, a text.
  std::string parts[4];
  size_t part = 0;
  for (const char c : text) {
    if (c == '\0' && part < 3) {
      ++part;
    } else {
      parts[part] += c;
    }
  }
  const auto own =
      genzo::ClipTokenizer::Read(Files({{"vocab.json", parts[0]},
                                        {"merges.txt", parts[1]},
                                        {"tokenizer_config.json", parts[2]}}));
  if (own.ok()) {
    for (const int64_t id : own->Encode(parts[3])) {
      if (id < 0 || id >= own->id_end()) std::abort();
    }
  }
  // Its last bytes are the text: a file of pieces has zeros.
  const std::string tail =
      text.substr(text.size() - std::min<size_t>(text.size(), 32));
  for (const char* name : {"spiece.model", "tokenizer.json"}) {
    const auto t5 = genzo::T5Tokenizer::Read(Files({{name, text}}));
    if (!t5.ok()) continue;
    for (const int64_t id : t5->Encode(tail)) {
      if (id < 0 || id >= t5->id_end()) std::abort();
    }
  }
  const auto whole =
      genzo::ClipTokenizer::Read(Files({{"tokenizer.json", text}}));
  if (whole.ok()) {
    for (const int64_t id : whole->Encode(tail)) {
      if (id < 0 || id >= whole->id_end()) std::abort();
    }
  }
  return 0;
}
