// Any bytes as a text for CLIP's tokenizer, and as a vocabulary with merges.

#include <cstdint>
#include <cstdlib>
#include <string>

#include "worker/text/clip_tokenizer.h"
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
  return 0;
}
