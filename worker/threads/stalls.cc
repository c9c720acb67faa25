#include "worker/threads/stalls.h"

namespace genzo {
namespace {

// Of teams' work, after which a decision is taken: a few time slices.
constexpr std::chrono::milliseconds kWindow{10};
// Parts of the same work differ by less; who lost its core is away for longer.
constexpr std::chrono::microseconds kUneven{700};
constexpr std::chrono::milliseconds kAlone{60};
// What a helper adds to the speed of one thread; of the models here.
constexpr double kGainOfAHelper = 0.5;

}  // namespace

void Stalls::Worked(int members, Time begin, Time end, Duration waited) {
  worked_ += end - begin;
  if (waited > kUneven) waited_ += waited;
  if (worked_ < kWindow) return;
  const double gain = 1 + kGainOfAHelper * (members - 1);
  const double moving = 1 - std::chrono::duration<double>(waited_) /
                                std::chrono::duration<double>(worked_);
  if (moving * gain < 1) alone_until_ = end + kAlone;
  worked_ = waited_ = Duration(0);
}

}  // namespace genzo
