#include "worker/pipeline/adapter_uses.h"

#include <algorithm>
#include <optional>

#include "absl/strings/str_cat.h"
#include "base/guidance_rules.h"
#include "base/shortest_digits.h"
#include "worker/pipeline/pipeline.h"
#include "worker/pipeline/stable_diffusion_parts.h"

namespace genzo {
namespace {

constexpr char kDenoiser[] = "denoiser";

bool IsFor(const AdapterUse& use, int step, int steps) {
  return static_cast<double>(step) / steps >= use.start &&
         static_cast<double>(step + 1) / steps <= use.end;
}

double WeightOf(const AdapterUse& use, const std::string& layer) {
  double weight = use.weight;
  size_t longest = 0;
  for (const auto& [block, own] : use.blocks) {
    if (block.size() < longest || !IsInBlock(layer, block)) continue;
    longest = block.size();
    weight = own;
  }
  return weight;
}

// Those of `adapters` that are for `step`; null if none is.
std::shared_ptr<const AdapterSet> DenoiserSet(const AdapterUses& adapters,
                                              const std::vector<bool>& active) {
  auto set = std::make_shared<AdapterSet>();
  for (size_t i = 0; i < adapters.size(); ++i) {
    if (!active[i]) continue;
    const AdapterUse& use = adapters[i];
    use.adapter->AddTo(
        kDenoiser,
        [&](const std::string& layer) { return WeightOf(use, layer); }, *set);
  }
  return set->layers.empty() ? nullptr : set;
}

// What tells an encoder with these adapters from others; empty: with none.
std::string TextKey(const AdapterUses& adapters, const std::string& component) {
  std::string key;
  for (const AdapterUse& use : adapters) {
    if (use.text_encoder_weight == 0 || !use.adapter->Adapts(component)) {
      continue;
    }
    absl::StrAppend(&key, use.id, "*", ShortestDigits(use.text_encoder_weight),
                    " ");
  }
  return key;
}

// One text a segment: its bits are its own.
EvalContext TextContext(const AdapterUses& adapters,
                        const std::string& component, size_t texts) {
  auto set = std::make_shared<AdapterSet>();
  for (const AdapterUse& use : adapters) {
    use.adapter->AddTo(
        component,
        [&](const std::string& /*layer*/) { return use.text_encoder_weight; },
        *set);
  }
  std::vector<AdapterSegment> segments;
  for (size_t i = 0; i < texts; ++i) {
    segments.push_back(
        {.first_row = static_cast<int64_t>(i), .rows = 1, .adapters = set});
  }
  return EvalContext(std::move(segments));
}

}  // namespace

absl::StatusOr<PreparedRef> PrepareAdapted(const Denoiser& denoiser,
                                           Conditioning conditioning,
                                           const AdapterUses& adapters,
                                           int steps) {
  return PrepareAdapted(denoiser,
                        std::vector<Conditioning>{std::move(conditioning)},
                        std::vector<TextPlan::From>(1), adapters, steps);
}

absl::StatusOr<PreparedRef> PrepareAdapted(
    const Denoiser& denoiser, std::vector<Conditioning> texts,
    const std::vector<TextPlan::From>& from, const AdapterUses& adapters,
    int steps) {
  using Kind = std::pair<size_t, std::vector<bool>>;  // text, active adapters
  std::map<Kind, PreparedRef> known;
  std::optional<Kind> before;
  std::vector<Prepared::Later> parts;
  auto next = from.begin();
  size_t text = 0;
  for (int step = 0; step < std::max(1, steps); ++step) {
    if (next != from.end() && next->first_step == step) text = (next++)->text;
    Kind kind = {text, {}};
    for (const AdapterUse& use : adapters) {
      kind.second.push_back(IsFor(use, step, steps));
    }
    if (kind == before) continue;
    before = kind;
    PreparedRef& prepared = known[kind];
    if (prepared == nullptr) {
      texts[text].adapters = DenoiserSet(adapters, kind.second);
      auto made = denoiser.Prepare(texts[text]);
      if (!made.ok()) return made.status();
      prepared = *std::move(made);
    }
    parts.push_back({step, prepared});
  }
  return InTurn(parts);
}

std::vector<std::vector<TextEmbedding>> EncodeAdapted(
    TextLists texts, absl::Span<const EncodeTask> tasks,
    const std::string& component, bool together, const void* owner,
    TextCache& cache, const AdaptedEncode& encode) {
  std::map<std::string, std::vector<size_t>> groups;  // of tasks, by adapters
  for (size_t i = 0; i < tasks.size(); ++i) {
    const std::string key = TextKey(tasks[i].adapters, component);
    for (EncoderText& text : texts[i]) text.adapters = key;
    groups[key].push_back(i);
  }
  std::vector<std::vector<TextEmbedding>> all(tasks.size());
  for (const auto& [key, places] : groups) {
    TextLists lists;
    for (const size_t place : places) lists.push_back(texts[place]);
    const AdapterUses& adapters = tasks[places[0]].adapters;
    auto encoded = EncodeLists(
        lists, together, owner, cache,
        [&, adapted = !key.empty()](const std::vector<std::string>& strings,
                                    int64_t clip_skip) {
          return encode(strings, clip_skip,
                        adapted
                            ? TextContext(adapters, component, strings.size())
                            : NoAdapters());
        });
    for (size_t i = 0; i < places.size(); ++i) {
      all[places[i]] = std::move(encoded[i]);
    }
  }
  return all;
}

}  // namespace genzo
