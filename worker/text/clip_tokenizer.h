#ifndef GENZO_WORKER_TEXT_CLIP_TOKENIZER_H_
#define GENZO_WORKER_TEXT_CLIP_TOKENIZER_H_

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "worker/text/byte_pair_encoder.h"
#include "worker/weights/component_files.h"

namespace genzo {

class LearnedWords;

// CLIP's tokenizer with the ids of transformers' CLIPTokenizer: Unicode NFC,
// white space, lower case, byte-level BPE; no ftfy, no HTML unescaping. Special
// tokens that stand in a text become their ids. Immutable, thread-safe.
class ClipTokenizer {
 public:
  // Reads vocab.json and merges.txt, or tokenizer.json where they are not, and
  // tokenizer_config.json and special_tokens_map.json (whose entries win).
  // NOT_FOUND or INVALID_ARGUMENT naming the file.
  static absl::StatusOr<ClipTokenizer> Read(const ComponentFiles& files);

  // Ids of `text` between the start and the end token, however many.
  std::vector<int64_t> Encode(std::string_view text) const;

  // Encode() cut or padded to model_max_length(). Over-long text loses its end,
  // not its end token.
  std::vector<int64_t> EncodePadded(std::string_view text) const;

  // Encode() without the two tokens around it, with the ids that `learned` has
  // where one of its words stands; null: none.
  std::vector<int64_t> EncodeWords(std::string_view text,
                                   const LearnedWords* learned) const;

  int64_t model_max_length() const { return model_max_length_; }
  int64_t bos_id() const { return bos_.id; }
  int64_t eos_id() const { return eos_.id; }
  int64_t pad_id() const { return pad_.id; }
  // Ids are below this.
  int64_t id_end() const { return encoder_.id_end(); }

 private:
  // A token that is found in texts as it stands. The reference looks for some
  // in the raw and for others in the normalised text.
  struct SpecialToken {
    std::string content;
    int64_t id = -1;
    bool in_normalized_text = false;
  };

  explicit ClipTokenizer(BytePairEncoder encoder)
      : encoder_(std::move(encoder)) {}

  absl::Status FindSpecialToken(const std::string& vocabulary,
                                SpecialToken& token) const;
  void AppendRaw(std::string_view text, const LearnedWords* learned,
                 std::vector<int64_t>& ids) const;
  void AppendNormalized(std::string_view text, const LearnedWords* learned,
                        std::vector<int64_t>& ids) const;
  void AppendPlain(std::string_view text, std::vector<int64_t>& ids) const;
  // The first special token in `text`, the longest at its place; null if none.
  const SpecialToken* FirstSpecial(std::string_view text, bool normalized,
                                   size_t& position) const;

  BytePairEncoder encoder_;
  SpecialToken bos_;
  SpecialToken eos_;
  SpecialToken pad_;
  int64_t unknown_id_ = 0;
  int64_t model_max_length_ = 77;
};

}  // namespace genzo

#endif  // GENZO_WORKER_TEXT_CLIP_TOKENIZER_H_
