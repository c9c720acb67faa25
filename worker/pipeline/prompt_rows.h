#ifndef GENZO_WORKER_PIPELINE_PROMPT_ROWS_H_
#define GENZO_WORKER_PIPELINE_PROMPT_ROWS_H_

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "ATen/core/Tensor.h"
#include "absl/types/span.h"
#include "base/prompt_editing.h"
#include "genzo/v1/image_generation.pb.h"
#include "worker/pipeline/adapter_uses.h"
#include "worker/pipeline/pipeline.h"
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

// Which texts the task's steps read.
TextPlan PlanTextsOf(const EncodeTask& task);

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

// An encoder of windows. `owner` and `component` as EncodeAdapted() has them.
struct WindowEncoder {
  const void* owner;
  std::string component;
  at::Device device;
  // ids [windows, L] int64 on the device -> one tensor [windows, ...] for each
  // part of an embedding.
  std::function<std::vector<at::Tensor>(
      const at::Tensor& ids, int64_t clip_skip, const EvalContext& adapters)>
      encode;
};

// What the encoder makes of the rows of several tasks, `prompts` and results a
// list a task: states [1, windows * L, D], their windows one behind the other,
// times the weights of their tokens and then scaled so that their mean is what
// it was; and behind them, where the encoder gives it, the pooled text of the
// first window. `together` as EncodeLists() has it.
std::vector<std::vector<TextEmbedding>> EncodeRows(
    const std::vector<PromptRows>& prompts, absl::Span<const EncodeTask> tasks,
    bool together, TextCache& cache, const WindowEncoder& encoder);

}  // namespace genzo

#endif  // GENZO_WORKER_PIPELINE_PROMPT_ROWS_H_
