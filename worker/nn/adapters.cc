#include "worker/nn/adapters.h"

#include <algorithm>

namespace genzo {

bool EvalContext::HasDelta(const std::string& layer) const {
  return std::any_of(segments_.begin(), segments_.end(),
                     [&](const AdapterSegment& segment) {
                       return segment.adapters->layers.count(layer) > 0;
                     });
}

const EvalContext& NoAdapters() {
  static const EvalContext* const none = new EvalContext();
  return *none;
}

}  // namespace genzo
