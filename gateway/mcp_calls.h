#ifndef GENZO_GATEWAY_MCP_CALLS_H_
#define GENZO_GATEWAY_MCP_CALLS_H_

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <tuple>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "gateway/backend.h"
#include "gateway/late_cancel.h"

namespace genzo {

// Calls of tools that are under way, so that a notification in a request of its
// own can cancel one. Thread-safe.
class McpCalls {
 public:
  // Who calls, in which session, which of his calls ("7" or "\"a\"", as JSON).
  struct Key {
    CallerKeys caller;
    std::string session;
    std::string id;
    bool operator<(const Key& other) const {
      return std::tie(caller, session, id) <
             std::tie(other.caller, other.session, other.id);
    }
  };

  // One call; is forgotten when it is dropped. The calls outlive it.
  class Call {
   public:
    Call(McpCalls& calls, Key key);
    ~Call();
    // How it is cancelled; is called at once if it has been. May be set anew.
    void SetCancel(std::function<void()> cancel) {
      cancel_->Set(std::move(cancel));
    }

   private:
    friend class McpCalls;
    McpCalls& calls_;
    const Key key_;
    const std::shared_ptr<LateCancel> cancel_ = std::make_shared<LateCancel>();
  };
  std::shared_ptr<Call> Begin(Key key);

  // Nothing happens if there is no such call.
  void Cancel(const Key& key);

 private:
  absl::Mutex mutex_;
  std::multimap<Key, Call*> live_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace genzo

#endif  // GENZO_GATEWAY_MCP_CALLS_H_
