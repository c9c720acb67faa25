#ifndef GENZO_SERVER_STALL_WATCH_H_
#define GENZO_SERVER_STALL_WATCH_H_

#include <string>
#include <utility>
#include <vector>

#include "absl/time/time.h"
#include "base/metrics.h"
#include "base/model_catalog.h"
#include "queue/backlog.h"
#include "queue/model_speeds.h"

namespace genzo {

// Notices that nothing moves though there is work: a device that hangs takes no
// step and says no word. Asked every second or so, by one thread; reads no
// clock.
class StallWatch {
 public:
  // Models are read from networks and tried: while one is, so many times as
  // long may pass, and not more, as reading may hang too.
  static constexpr int kLoadingPatience = 10;
  // Of a step that takes long, a large picture's on a CPU, so many times what
  // it was predicted to take may pass.
  static constexpr int kStepPatience = 10;

  // `most` may pass without a step while jobs wait or run, or kStepPatience
  // times the longest step if that is more. `step` is what it is told by.
  explicit StallWatch(absl::Duration most, std::string step = "step")
      : most_(most), step_(std::move(step)) {}

  // What is seen at `now`.
  struct Seen {
    double evaluations = 0;  // since the start
    double jobs = 0;         // that wait or run
    bool loading = false;    // they may wait for a model that is
    absl::Duration longest_step = absl::ZeroDuration();  // predicted, of theirs
  };
  // Why it is thought that something hangs; "" if nothing does.
  std::string Look(const Seen& seen, absl::Time now);

 private:
  const absl::Duration most_;
  const std::string step_;
  double evaluations_ = -1;
  bool loading_ = false;
  absl::Time moved_ = absl::InfiniteFuture();
};

// Watches over all devices of a pool together and over each, which may hang
// while others go on: with images that it paints, or with jobs that it took and
// whose model it does not get into memory, or whose pictures it does not get
// decoded. Enlarging is watched by its tiles: those of painted pictures count
// as steps of their device, and pictures that were sent to be enlarged are a
// line of their own. As StallWatch.
class PoolStallWatch {
 public:
  // `devices` by the names that figures have for them, in the pool's order.
  // `speeds` predict their steps, and outlive the watch; null: nobody does.
  PoolStallWatch(const std::vector<std::string>& devices, absl::Duration most,
                 const ModelSpeeds* speeds = nullptr);

  // As StallWatch::Look(), from what the figures say, `backlog` of jobs that
  // devices took and have not begun, and `upscaling` of sent pictures. Every
  // device that hangs is named; the pool is told of alone where no device has
  // the jobs that wait.
  std::string Look(const ModelCatalog& catalog, Metrics& metrics,
                   const Backlog& backlog, const Backlog& upscaling,
                   absl::Time now);

 private:
  const ModelSpeeds* const speeds_;
  StallWatch pool_;
  StallWatch enlarging_;
  std::vector<std::pair<std::string, StallWatch>> devices_;
};

}  // namespace genzo

#endif  // GENZO_SERVER_STALL_WATCH_H_
