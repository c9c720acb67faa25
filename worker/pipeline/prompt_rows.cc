#include "worker/pipeline/prompt_rows.h"

#include <algorithm>

#include "ATen/TensorOperators.h"
#include "ATen/ops/cat.h"
#include "ATen/ops/mean.h"
#include "ATen/ops/tensor.h"
#include "base/prompt_syntax.h"

namespace genzo {
namespace {

std::vector<EncoderText> TextsOf(const PromptRows& rows) {
  std::vector<EncoderText> texts;
  for (const RowPrompt& row : rows) {
    for (const TokenWindow& window : row.windows) {
      texts.push_back(
          {.text = "", .clip_skip = row.clip_skip, .ids = window.ids});
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
    const std::vector<PromptRows>& tasks, bool together, const void* owner,
    TextCache& cache, const EncodeWindows& encode) {
  std::vector<EncoderText> all;
  for (const PromptRows& rows : tasks) {
    const std::vector<EncoderText> texts = TextsOf(rows);
    all.insert(all.end(), texts.begin(), texts.end());
  }
  const auto encode_texts = [&](const std::vector<EncoderText>& texts) {
    std::vector<std::vector<int64_t>> windows;
    for (const EncoderText& text : texts) windows.push_back(text.ids);
    return encode(windows, texts[0].clip_skip);
  };
  std::vector<TextEmbedding> embeddings;
  if (together) {
    embeddings = cache.GetBy(owner, all, encode_texts);
  } else {
    for (const EncoderText& text : all) {
      embeddings.push_back(cache.GetBy(owner, {text}, encode_texts)[0]);
    }
  }
  std::vector<std::vector<TextEmbedding>> results;
  auto next = embeddings.cbegin();
  for (const PromptRows& rows : tasks) {
    auto& list = results.emplace_back();
    for (const RowPrompt& row : rows) {
      list.push_back(JoinWindows(row, next));
      next += static_cast<std::ptrdiff_t>(row.windows.size());
    }
  }
  return results;
}

at::Tensor IdsOfWindows(const std::vector<std::vector<int64_t>>& windows,
                        const at::Device& device) {
  std::vector<int64_t> ids;
  for (const auto& window : windows) {
    ids.insert(ids.end(), window.begin(), window.end());
  }
  return at::tensor(ids, at::kLong)
      .view({static_cast<int64_t>(windows.size()), -1})
      .to(device);
}

}  // namespace genzo
