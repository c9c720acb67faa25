#include "worker/pipeline/prompt_rows.h"

#include <algorithm>
#include <cstring>

#include "ATen/TensorOperators.h"
#include "ATen/ops/cat.h"
#include "ATen/ops/mean.h"
#include "ATen/ops/tensor.h"
#include "base/prompt_syntax.h"

namespace genzo {
namespace {

// What a window is called in the cache and on its way to the encoder: its ids'
// bytes.
std::string PackedIds(const TokenWindow& window) {
  return std::string(reinterpret_cast<const char*>(window.ids.data()),
                     window.ids.size() * sizeof(int64_t));
}

at::Tensor UnpackedIds(const std::vector<std::string>& windows,
                       const at::Device& device) {
  std::vector<int64_t> ids;
  for (const std::string& window : windows) {
    const size_t begin = ids.size();
    ids.resize(begin + window.size() / sizeof(int64_t));
    std::memcpy(ids.data() + begin, window.data(), window.size());
  }
  return at::tensor(ids, at::kLong)
      .view({static_cast<int64_t>(windows.size()), -1})
      .to(device);
}

std::vector<EncoderText> TextsOf(const PromptRows& rows) {
  std::vector<EncoderText> texts;
  for (const RowPrompt& row : rows) {
    for (const TokenWindow& window : row.windows) {
      texts.push_back({PackedIds(window), row.clip_skip});
    }
  }
  return texts;
}

// states [1, L, D] by the weights of its tokens (reference:
// get_weighted_text_embeddings of diffusers' lpw_stable_diffusion).
at::Tensor Weighted(const at::Tensor& states,
                    const std::vector<float>& weights) {
  const bool plain = std::all_of(weights.begin(), weights.end(),
                                 [](float weight) { return weight == 1; });
  if (plain) return states;
  const at::Tensor full = states.to(at::kFloat);
  const at::Tensor weighted =
      full * at::tensor(weights, at::kFloat).to(full.device()).unsqueeze(-1);
  return (weighted * (full.mean() / weighted.mean())).to(states.scalar_type());
}

// The embeddings of a row's windows, from `next` on.
TextEmbedding JoinWindows(const RowPrompt& row,
                          std::vector<TextEmbedding>::const_iterator next) {
  TextEmbedding joined = *next;
  std::vector<at::Tensor> states;
  std::vector<float> weights;
  for (const TokenWindow& window : row.windows) {
    states.push_back((*next++)[0]);
    weights.insert(weights.end(), window.weights.begin(), window.weights.end());
  }
  joined[0] =
      Weighted(states.size() == 1 ? states[0] : at::cat(states, 1), weights);
  return joined;
}

}  // namespace

TextPlan PlanTextsOf(const EncodeTask& task) {
  return PlanTexts(task.request,
                   {.steps = static_cast<int>(task.request.steps()),
                    .before = task.steps_before},
                   task.inverts);
}

WindowRules RulesOf(const v1::GenerateRequest& request,
                    const LearnedWords& learned, bool pooled) {
  const bool weighted = request.prompt_syntax() == v1::PROMPT_SYNTAX_WEIGHTED;
  return {.weighted = weighted,
          .learned = weighted ? &learned : nullptr,
          .end_behind_padding = !pooled,
          .most_windows = kMaxPromptChunks};
}

void EqualiseWindows(absl::Span<const TokenizedRows> encoders) {
  size_t most = 0;
  for (const TokenizedRows& encoder : encoders) {
    for (const RowPrompt& row : encoder.rows) {
      most = std::max(most, row.windows.size());
    }
  }
  for (const TokenizedRows& encoder : encoders) {
    for (RowPrompt& row : encoder.rows) {
      PadWindows(encoder.tokenizer, encoder.rules, most, row.windows);
    }
  }
}

std::vector<std::vector<TextEmbedding>> EncodeRows(
    const std::vector<PromptRows>& prompts, absl::Span<const EncodeTask> tasks,
    bool together, TextCache& cache, const WindowEncoder& encoder) {
  std::vector<std::vector<EncoderText>> texts;
  for (const PromptRows& rows : prompts) texts.push_back(TextsOf(rows));
  const auto embeddings = EncodeAdapted(
      std::move(texts), tasks, encoder.component, together, encoder.owner,
      cache,
      [&](const std::vector<std::string>& windows, int64_t clip_skip,
          const EvalContext& adapters) {
        return encoder.encode(UnpackedIds(windows, encoder.device), clip_skip,
                              adapters);
      });
  std::vector<std::vector<TextEmbedding>> results;
  for (size_t i = 0; i < prompts.size(); ++i) {
    auto& list = results.emplace_back();
    auto next = embeddings[i].cbegin();
    for (const RowPrompt& row : prompts[i]) {
      list.push_back(JoinWindows(row, next));
      next += static_cast<std::ptrdiff_t>(row.windows.size());
    }
  }
  return results;
}

}  // namespace genzo
