#ifndef GENZO_QUEUE_GUEST_SLOWDOWN_H_
#define GENZO_QUEUE_GUEST_SLOWDOWN_H_

namespace genzo {

// How much longer an evaluation may take for the runs of those who had more
// than their share, beside others'. The batcher acts by it, forecasts know it.
inline constexpr double kGuestSlowdown = 1.25;

}  // namespace genzo

#endif  // GENZO_QUEUE_GUEST_SLOWDOWN_H_
