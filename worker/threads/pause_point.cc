#include "worker/threads/pause_point.h"

#include <utility>

namespace genzo {
namespace {

thread_local const std::function<void()>* on_pause_point = nullptr;

}  // namespace

void PausePoint() {
  if (on_pause_point != nullptr) (*on_pause_point)();
}

OnPausePoint::OnPausePoint(std::function<void()> reached)
    : reached_(std::move(reached)) {
  on_pause_point = &reached_;
}

OnPausePoint::~OnPausePoint() { on_pause_point = nullptr; }

}  // namespace genzo
