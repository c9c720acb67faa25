#ifndef GENZO_WORKER_PIPELINE_PROMPT_ROWS_H_
#define GENZO_WORKER_PIPELINE_PROMPT_ROWS_H_

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "ATen/core/Tensor.h"
#include "absl/types/span.h"
#include "genzo/v1/image_generation.pb.h"
#include "worker/text/prompt_windows.h"
#include "worker/text/text_cache.h"

// How the pipelines of CLIP encoders read prompts: windows of tokens, weights,
// words that were trained.

namespace genzo {

// What one row of an image reads.
struct RowPrompt {
  std::vector<TokenWindow> windows;
  int64_t clip_skip = 0;  // of the encoder's last layers
};
using PromptRows = std::vector<RowPrompt>;

// How a request wants its texts read; the learned words are the encoder's.
// `pooled`: the family takes a text's pooled vector.
WindowRules RulesOf(const v1::GenerateRequest& request,
                    const LearnedWords& learned, bool pooled = false);

// Gives all rows, which are of one image and perhaps of several encoders, as
// many windows as the longest has.
struct TokenizedRows {
  const ClipTokenizer& tokenizer;
  WindowRules rules;
  PromptRows& rows;
};
void EqualiseWindows(absl::Span<const TokenizedRows> encoders);

// What one encoder makes of the rows of several tasks, a list a task: states
// [1, windows * L, D], their windows one behind the other, times the weights of
// their tokens and then scaled so that their mean is what it was; and behind
// them, where the encoder gives it, the pooled text of the first window.
// `together` and `owner` as EncodeLists() has them.
using EncodeWindows = std::function<std::vector<at::Tensor>(
    const std::vector<std::vector<int64_t>>& windows, int64_t clip_skip)>;
std::vector<std::vector<TextEmbedding>> EncodeRows(
    const std::vector<PromptRows>& tasks, bool together, const void* owner,
    TextCache& cache, const EncodeWindows& encode);

// [windows, L] int64 on `device`.
at::Tensor IdsOfWindows(const std::vector<std::vector<int64_t>>& windows,
                        const at::Device& device);

}  // namespace genzo

#endif  // GENZO_WORKER_PIPELINE_PROMPT_ROWS_H_
