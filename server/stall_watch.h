#ifndef GENZO_SERVER_STALL_WATCH_H_
#define GENZO_SERVER_STALL_WATCH_H_

#include <map>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "base/metrics.h"
#include "base/model_catalog.h"

namespace genzo {

// Notices that nothing moves though there is work: a device that hangs takes no
// step and says no word. Asked every second or so, by one thread; reads no
// clock.
class StallWatch {
 public:
  // `most` may pass without a step while jobs wait or run.
  explicit StallWatch(absl::Duration most) : most_(most) {}

  // What is seen at `now`.
  struct Seen {
    double evaluations = 0;  // since the start
    double jobs = 0;         // that wait or run
    bool loading = false;    // a model is, which may take long
  };
  // Why it is thought that something hangs; "" if nothing does.
  std::string Look(const Seen& seen, absl::Time now);

 private:
  const absl::Duration most_;
  double evaluations_ = -1;
  absl::Time moved_ = absl::InfiniteFuture();
};

// Watches over all devices of a pool together and over each, which may hang
// while others go on. As StallWatch.
class PoolStallWatch {
 public:
  // `devices` by the names that figures have for them.
  PoolStallWatch(const std::vector<std::string>& devices, absl::Duration most);

  // As StallWatch::Look(), from what the figures say.
  std::string Look(const ModelCatalog& catalog, Metrics& metrics,
                   absl::Time now);

 private:
  StallWatch pool_;
  std::map<std::string, StallWatch> devices_;
};

}  // namespace genzo

#endif  // GENZO_SERVER_STALL_WATCH_H_
