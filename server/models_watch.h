#ifndef GENZO_SERVER_MODELS_WATCH_H_
#define GENZO_SERVER_MODELS_WATCH_H_

#include <atomic>
#include <functional>
#include <string>

#include "absl/time/time.h"
#include "base/models_folder.h"
#include "base/work_thread.h"

namespace genzo {

// Looks into a folder of models now and then, on a thread of its own.
class ModelsWatch {
 public:
  // Hear, on that thread, of each model that is new or has changed, and of each
  // that is gone, by its id.
  struct Listener {
    std::function<void(const ModelConfig&)> appeared;
    std::function<void(const std::string&)> gone;
  };
  ModelsWatch(ModelsFolder folder, absl::Duration interval, Listener listener);
  // Waits for a look that is under way, which on a mount that does not answer
  // may hang.
  ~ModelsWatch() { Close(); }

  // Nobody hears of anything more, but for the one who just does. Waits for
  // nothing; any thread.
  void Close() { closed_ = true; }

 private:
  void Look();

  ModelsFolder folder_;  // the thread's own
  const Listener listener_;
  std::atomic<bool> closed_{false};
  WorkThread looks_;  // last: uses the rest
};

}  // namespace genzo

#endif  // GENZO_SERVER_MODELS_WATCH_H_
