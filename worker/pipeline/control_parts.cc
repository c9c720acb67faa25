#include "worker/pipeline/control_parts.h"

#include "ATen/TensorOperators.h"
#include "absl/strings/str_cat.h"
#include "worker/pipeline/pipeline.h"

namespace genzo {
namespace {

at::Tensor LastRow(const at::Tensor& rows) {
  return rows.defined() ? rows.narrow(0, rows.size(0) - 1, 1) : rows;
}

// Without the denoiser's adapters: they are not this network's.
Conditioning LastRowOf(const Conditioning& conditioning) {
  return {.tokens = LastRow(conditioning.tokens),
          .token_mask = LastRow(conditioning.token_mask),
          .pooled = LastRow(conditioning.pooled),
          .numbers = LastRow(conditioning.numbers)};
}

absl::Status InControl(size_t index, const absl::Status& status) {
  return absl::Status(
      status.code(), absl::StrCat("controls[", index, "]: ", status.message()));
}

}  // namespace

void TakeControls(std::string fit, bool guesses, PipelineTraits& traits) {
  traits.control_fit = std::move(fit);
  traits.request_fields.emplace_back("controls");
  if (guesses) traits.request_fields.emplace_back("controls.guess_mode");
}

absl::StatusOr<std::vector<EncodedControl>> PrepareControls(
    absl::Span<const ControlHint> hints, const Conditioning& conditioning,
    ControlRows rows, const LatentCodec* codec) {
  std::vector<EncodedControl> controls;
  const auto all = static_cast<int>(conditioning.tokens.size(0));
  for (const ControlHint& hint : hints) {
    const ControlNetwork& network = *hint.network;
    const bool alone =
        rows == ControlRows::kEach && (hint.guess || network.pools());
    Conditioning seen = LastRowOf(conditioning);
    if (rows == ControlRows::kEach && !alone) {
      seen = conditioning;
      seen.adapters = nullptr;
    }
    EncodedControl encoded;
    encoded.control = {.network = hint.network,
                       .first_row = alone ? all - 1 : 0,
                       .rows = alone ? 1 : all,
                       .weight = hint.weight,
                       .fading = hint.guess && !network.pools(),
                       .begin = hint.begin,
                       .end = hint.end};
    if (network.reads_latents()) {
      encoded.hint = codec->Encode(hint.picture * 2 - 1);
      encoded.unprepared = seen;
    } else {
      seen.image = hint.picture;
      auto prepared = network.Prepare(seen);
      if (!prepared.ok()) return InControl(controls.size(), prepared.status());
      encoded.control.prepared = *std::move(prepared);
    }
    controls.push_back(std::move(encoded));
  }
  return controls;
}

absl::StatusOr<std::vector<EncodedControl>> PrepareControls(
    absl::Span<const ControlHint> hints, const std::vector<Conditioning>& texts,
    const std::vector<TextPlan::From>& from) {
  std::vector<std::vector<EncodedControl>> all;  // a list a text
  for (const Conditioning& text : texts) {
    auto controls = PrepareControls(hints, text);
    if (!controls.ok()) return controls.status();
    all.push_back(*std::move(controls));
  }
  std::vector<EncodedControl> controls = all[0];
  for (size_t i = 0; i < controls.size(); ++i) {
    std::vector<Prepared::Later> parts;
    for (const auto& [first_step, text] : from) {
      parts.push_back({first_step, all[text][i].control.prepared});
    }
    controls[i].control.prepared = InTurn(parts);
  }
  return controls;
}

std::vector<StageControl> ControlsOf(const Encoded& encoded) {
  std::vector<StageControl> controls;
  for (const EncodedControl& one : encoded.controls) {
    controls.push_back(one.control);
  }
  return controls;
}

absl::StatusOr<std::vector<StageControl>> DrawControls(const Encoded& encoded,
                                                       const LatentCodec& codec,
                                                       NoiseSource& noise) {
  std::vector<StageControl> controls = ControlsOf(encoded);
  for (size_t i = 0; i < controls.size(); ++i) {
    if (controls[i].prepared != nullptr) continue;
    Conditioning conditioning = encoded.controls[i].unprepared;
    conditioning.image = codec.Sample(encoded.controls[i].hint, noise);
    auto prepared = controls[i].network->Prepare(conditioning);
    if (!prepared.ok()) return InControl(i, prepared.status());
    controls[i].prepared = *std::move(prepared);
  }
  return controls;
}

}  // namespace genzo
