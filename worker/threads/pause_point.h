#ifndef GENZO_WORKER_THREADS_PAUSE_POINT_H_
#define GENZO_WORKER_THREADS_PAUSE_POINT_H_

#include <functional>

namespace genzo {

// Called by long work where others may go on in between: before the layers of a
// model. Costs next to nothing where nobody wants to.
void PausePoint();

// While one lives, `reached` is called at its thread's pause points. It may
// throw, which breaks the work off.
class OnPausePoint {
 public:
  explicit OnPausePoint(std::function<void()> reached);
  ~OnPausePoint();
  OnPausePoint(const OnPausePoint&) = delete;
  OnPausePoint& operator=(const OnPausePoint&) = delete;

 private:
  const std::function<void()> reached_;
};

}  // namespace genzo

#endif  // GENZO_WORKER_THREADS_PAUSE_POINT_H_
