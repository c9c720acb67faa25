#include "worker/engine/best_images.h"

#include <algorithm>
#include <utility>

namespace genzo {
namespace {

// Lower is better.
std::pair<int, double> RankOf(const v1::JobEvent& event) {
  if (event.has_image()) return {0, -event.image().score()};
  return {event.has_image_withheld() ? 1 : 2, 0};
}

void SetIndex(uint32_t index, v1::JobEvent& event) {
  if (event.has_image()) {
    event.mutable_image()->set_image_index(index);
  } else if (event.has_image_withheld()) {
    event.mutable_image_withheld()->set_image_index(index);
  } else {
    event.mutable_image_failed()->set_image_index(index);
  }
}

}  // namespace

std::vector<v1::JobEvent> BestImages(std::vector<v1::JobEvent> drawn,
                                     size_t count) {
  std::stable_sort(drawn.begin(), drawn.end(),
                   [](const v1::JobEvent& a, const v1::JobEvent& b) {
                     return RankOf(a) < RankOf(b);
                   });
  drawn.resize(std::min(count, drawn.size()));
  for (size_t i = 0; i < drawn.size(); ++i) {
    SetIndex(static_cast<uint32_t>(i), drawn[i]);
  }
  return drawn;
}

}  // namespace genzo
