#include "worker/pipeline/guidance_phases.h"

#include <algorithm>
#include <numeric>

#include "base/guidance_rules.h"

namespace genzo {
namespace {

// When the text's features are made, and when they are used.
enum class Gate { kOpen, kClosing, kClosed };

// What the steps of a phase have in common.
struct StepKind {
  bool guided = true;
  bool perturbed = false;
  bool skips = false;
  Gate gate = Gate::kOpen;

  bool operator==(const StepKind&) const = default;
};

StepKind KindOf(const v1::GenerateRequest& request, int step) {
  const v1::GuidanceOptions& options = request.guidance();
  const auto steps = static_cast<int>(request.steps());
  const StepShares shares = SharesOf(options);
  StepKind kind;
  kind.guided = IsBetween(step, steps, shares.start, shares.end);
  kind.perturbed = options.perturbed_attention_scale() > 0 && kind.guided;
  // As the reference has it: neither the first step nor the last counts.
  kind.skips = options.skip_layer_scale() > 0 &&
               step > steps * kSkipLayerStart && step < steps * kSkipLayerEnd;
  const auto gate = static_cast<int>(options.text_gate_step());
  if (gate > 0 && gate < steps) {
    kind.gate = step >= gate       ? Gate::kClosed
                : step + 1 == gate ? Gate::kClosing
                                   : Gate::kOpen;
  }
  return kind;
}

// The layers that perturbed-attention guidance has idle.
std::set<std::string> PerturbedLayers(const v1::GenerateRequest& request,
                                      const Denoiser& denoiser) {
  const auto& asked = request.guidance().perturbed_layers();
  std::set<std::string> layers;
  for (const std::string& layer : denoiser.SelfAttentions()) {
    const bool is_asked = std::any_of(
        asked.begin(), asked.end(),
        [&](const std::string& block) { return IsInBlock(layer, block); });
    if (asked.empty() ? IsPerturbed(layer) : is_asked) layers.insert(layer);
  }
  return layers;
}

std::set<std::string> SkippedLayers(const v1::GenerateRequest& request,
                                    const Denoiser& denoiser) {
  const auto& asked = request.guidance().skip_layers();
  std::vector<uint32_t> numbers(asked.begin(), asked.end());
  if (numbers.empty()) {
    numbers = {std::begin(kDefaultSkipLayers), std::end(kDefaultSkipLayers)};
  }
  const std::vector<std::string> known = denoiser.IdleLayers();
  std::set<std::string> layers;
  for (const uint32_t number : numbers) {
    if (number < known.size()) layers.insert(known[number]);
  }
  return layers;
}

// What `control` is for the chosen rows, which of those that it steers come one
// after the other.
void AddControl(const StageControl& control, const std::vector<int64_t>& rows,
                std::vector<StageControl>& controls) {
  StageControl chosen = control;
  std::vector<int64_t> steered;  // of the control's own rows
  for (size_t i = 0; i < rows.size(); ++i) {
    const int64_t row = rows[i] - control.first_row;
    if (row < 0 || row >= control.rows) continue;
    if (steered.empty()) chosen.first_row = static_cast<int>(i);
    steered.push_back(row);
  }
  if (steered.empty()) return;
  chosen.rows = static_cast<int>(steered.size());
  if (control.prepared->rows > 1) {
    chosen.prepared = std::make_shared<const Prepared>(
        RowsOfPrepared(*control.prepared, steered));
  }
  controls.push_back(std::move(chosen));
}

// Makes the phases of one stage.
class PhaseMaker {
 public:
  PhaseMaker(const v1::GenerateRequest& request, const Stage& stage)
      : request_(request),
        stage_(stage),
        features_(std::make_shared<TextFeatures>()) {}

  Phase Make(const StepKind& kind) const {
    Phase phase = {.guidance = stage_.guidance};
    const bool alone = !kind.guided || kind.gate == Gate::kClosed;
    const int64_t last = stage_.prepared->rows - 1;
    std::vector<int64_t> rows(alone ? 1 : last + 1);
    std::iota(rows.begin(), rows.end(), alone ? last : 0);
    const auto whole = static_cast<int64_t>(rows.size());
    RowEdits edits;
    const auto add_weak = [&](std::set<std::string> idle, double scale) {
      edits.push_back({.first_row = static_cast<int64_t>(rows.size()),
                       .idle = std::move(idle)});
      rows.push_back(last);
      phase.guidance.weak_scales.push_back(scale);
    };
    const v1::GuidanceOptions& options = request_.guidance();
    if (kind.perturbed) {
      add_weak(PerturbedLayers(request_, *stage_.denoiser),
               options.perturbed_attention_scale());
    }
    if (kind.skips) {
      add_weak(SkippedLayers(request_, *stage_.denoiser),
               options.skip_layer_scale());
    }
    if (kind.gate == Gate::kClosing) {
      edits.push_back({.rows = whole, .keep = features_});
    } else if (kind.gate == Gate::kClosed) {
      edits.push_back(
          {.rows = static_cast<int64_t>(rows.size()), .take = features_});
    }
    phase.guidance.rows = static_cast<int>(rows.size());
    if (!alone && edits.empty()) {
      phase.prepared = stage_.prepared;
      phase.controls = stage_.controls;
      return phase;
    }
    for (const StageControl& control : stage_.controls) {
      AddControl(control, rows, phase.controls);
    }
    phase.prepared = std::make_shared<const Prepared>(
        WithEdits(RowsOfPrepared(*stage_.prepared, rows), edits));
    return phase;
  }

 private:
  const v1::GenerateRequest& request_;
  const Stage& stage_;
  const std::shared_ptr<TextFeatures> features_;  // of the image
};

}  // namespace

bool Stage::EnterPhase() {
  const int step = sampler->progress().steps_done;
  bool changed = false;
  while (!phases.empty() && phases.front().first_step <= step) {
    prepared = std::move(phases.front().prepared);
    guidance = std::move(phases.front().guidance);
    controls = std::move(phases.front().controls);
    phases.pop_front();
    changed = true;
  }
  return changed;
}

void PlanPhases(const v1::GenerateRequest& request, int first_step,
                Stage& stage) {
  if (!request.has_guidance()) return;
  const PhaseMaker maker(request, stage);
  StepKind before;  // nothing left out
  for (int step = first_step; step < static_cast<int>(request.steps());
       ++step) {
    const StepKind kind = KindOf(request, step);
    if (kind == before) continue;
    before = kind;
    Phase phase = maker.Make(kind);
    phase.first_step = step - first_step;
    stage.phases.push_back(std::move(phase));
  }
}

}  // namespace genzo
