#include "worker/denoiser/control_residuals.h"

#include <cmath>

#include "ATen/TensorOperators.h"

namespace genzo {
namespace {

const at::Tensor& ForBlock(const std::vector<at::Tensor>& residuals,
                           bool repeat, size_t block, size_t blocks) {
  const size_t count = residuals.size();
  const size_t each = (blocks + count - 1) / count;
  return residuals[repeat ? block % count : block / each];
}

void AddTo(const at::Tensor& x, const ControlSegment& segment,
           const at::Tensor& residual) {
  x.narrow(0, segment.first_row, segment.rows).add_(residual);
}

template <typename Change>
ControlResiduals Each(const ControlResiduals& residuals, const Change& change) {
  ControlResiduals changed = {
      .early = {}, .late = {}, .within = {}, .repeat = residuals.repeat};
  size_t place = 0;
  for (const at::Tensor& one : residuals.within) {
    changed.within.push_back(change(one, place++));
  }
  for (const at::Tensor& one : residuals.early) {
    changed.early.push_back(change(one, place++));
  }
  for (const at::Tensor& one : residuals.late) {
    changed.late.push_back(change(one, place++));
  }
  return changed;
}

}  // namespace

void AddEarly(const std::vector<ControlSegment>& controls, size_t block,
              size_t blocks, const at::Tensor& x) {
  for (const ControlSegment& segment : controls) {
    const ControlResiduals& all = segment.residuals;
    if (all.early.empty()) continue;
    AddTo(x, segment, ForBlock(all.early, all.repeat, block, blocks));
  }
}

void AddLate(const std::vector<ControlSegment>& controls, size_t block,
             size_t blocks, const at::Tensor& x) {
  for (const ControlSegment& segment : controls) {
    const ControlResiduals& all = segment.residuals;
    if (all.late.empty()) continue;
    // Later blocks are never taken in turn.
    AddTo(x, segment, ForBlock(all.late, /*repeat=*/false, block, blocks));
  }
}

void AddWithin(const std::vector<ControlSegment>& controls, size_t level,
               const at::Tensor& x) {
  for (const ControlSegment& segment : controls) {
    const std::vector<at::Tensor>& within = segment.residuals.within;
    if (level < within.size()) AddTo(x, segment, within[level]);
  }
}

void AddToMiddle(const std::vector<ControlSegment>& controls, size_t levels,
                 const at::Tensor& x) {
  for (const ControlSegment& segment : controls) {
    const std::vector<at::Tensor>& within = segment.residuals.within;
    if (levels >= within.size()) continue;
    // Light adapters make one that is smaller than the middle, but where both
    // are a single place (reference: UNet2DConditionModel.forward).
    if (within[levels].sizes().slice(1) != x.sizes().slice(1)) continue;
    AddTo(x, segment, within[levels]);
  }
}

ControlResiduals Weighted(const ControlResiduals& residuals, double weight,
                          bool fading) {
  const size_t places =
      residuals.within.size() + residuals.early.size() + residuals.late.size();
  return Each(residuals, [&](const at::Tensor& one, size_t place) {
    const double share =
        fading && places > 1
            ? std::pow(10.0, static_cast<double>(place) /
                                     static_cast<double>(places - 1) -
                                 1)
            : 1;
    return one * (weight * share);
  });
}

ControlResiduals RowsOf(const ControlResiduals& residuals, int64_t begin,
                        int64_t count) {
  return Each(residuals, [&](const at::Tensor& one, size_t) {
    return one.narrow(0, begin, count);
  });
}

}  // namespace genzo
