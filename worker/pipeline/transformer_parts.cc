#include "worker/pipeline/transformer_parts.h"

#include <algorithm>
#include <set>

#include "ATen/ops/tensor.h"
#include "absl/strings/str_cat.h"
#include "base/errors.h"
#include "base/request_rules.h"
#include "worker/pipeline/walk_fault.h"
#include "worker/sampler/create_sampler.h"

namespace genzo {
namespace {

// The table of tokens again, under its other name.
const std::set<std::string>& IgnoredT5Tensors() {
  static const auto* const names =
      new std::set<std::string>{"encoder.embed_tokens.weight"};
  return *names;
}

// transformers has had both names for the same class.
absl::StatusOr<ComponentFiles> TokenizerFiles(const ModelIndex& index,
                                              const std::string& tokenizer) {
  const auto fast = index.Component(tokenizer, "T5TokenizerFast");
  return absl::IsUnimplemented(fast.status())
             ? index.Component(tokenizer, "T5Tokenizer")
             : fast;
}

absl::StatusOr<std::shared_ptr<const T5Part>> LoadT5(
    const ModelIndex& index, const std::string& text_encoder,
    const Placement& placement) {
  const auto text = OpenComponent(index, text_encoder, "T5EncoderModel",
                                  ReadT5Config, placement);
  if (!text.ok()) return text.status();
  const T5Encoder encoder(text->config, text->weights);
  const absl::Status finished = text->weights.Finish(IgnoredT5Tensors());
  if (!finished.ok()) return finished;
  return std::shared_ptr<const T5Part>(
      new T5Part{text->config, encoder, text->weights.taken_bytes()});
}

}  // namespace

absl::StatusOr<std::shared_ptr<const T5Tower>> T5Tower::Load(
    const ModelIndex& index, const std::string& tokenizer,
    const std::string& text_encoder, const Placement& placement) {
  const auto files = TokenizerFiles(index, tokenizer);
  if (!files.ok()) return files.status();
  auto read = T5Tokenizer::Read(*files);
  if (!read.ok()) return read.status();
  const auto part = index.ShareOf<T5Part>("t5", {text_encoder}, placement, [&] {
    return LoadT5(index, text_encoder, placement);
  });
  if (!part.ok()) return part.status();
  if (read->id_end() > (*part)->config.vocab_size) {
    return absl::InvalidArgumentError(absl::StrCat(
        index.folder, ": the ", tokenizer, "'s ", read->id_end(),
        " ids do not fit the text encoder's ", (*part)->config.vocab_size));
  }
  return std::shared_ptr<const T5Tower>(
      new T5Tower{*std::move(read), *part, placement});
}

at::Tensor T5Tower::Encode(const std::vector<std::string>& texts,
                           int64_t length) const {
  std::vector<int64_t> ids;
  for (const std::string& text : texts) {
    const std::vector<int64_t> encoded = tokenizer.EncodePadded(text, length);
    ids.insert(ids.end(), encoded.begin(), encoded.end());
  }
  return part->encoder.forward(
      at::tensor(ids, at::kLong)
          .view({static_cast<int64_t>(texts.size()), -1})
          .to(placement.device));
}

int FlowFirstStepOf(double strength, int steps) {
  return steps -
         static_cast<int>(StepsWalked(steps, strength, StepRounding::kUp));
}

absl::StatusOr<std::unique_ptr<SamplerRun>> CreateFlowWalk(
    SamplerId sampler, const nlohmann::json& scheduler,
    const v1::GenerateRequest& request, const SamplerOptions& options,
    SamplerStart start) {
  if (start.sample.defined()) {
    start.first_step =
        FlowFirstStepOf(request.image_to_image().strength(), options.steps);
  }
  auto walk = CreateSampler(sampler, FromProto(request.schedule()), scheduler,
                            options, start);
  if (!walk.ok()) return WalkFault(request, walk.status());
  return walk;
}

}  // namespace genzo
