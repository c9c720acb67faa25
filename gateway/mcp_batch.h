#ifndef GENZO_GATEWAY_MCP_BATCH_H_
#define GENZO_GATEWAY_MCP_BATCH_H_

#include <functional>
#include <memory>
#include <optional>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "gateway/http.h"
#include "nlohmann/json.hpp"

namespace genzo {

// The answers to a batch of JSON-RPC messages, which are one answer of HTTP: a
// list in the messages' order, sent once the last has been answered.
// Notifications have no entry; of them alone the answer is 202. A client
// without a key is told 401, as by one message. All answers are held until the
// last is there, so that one past `most_bytes` of them is an error instead.
// Thread-safe.
class McpBatch : public std::enable_shared_from_this<McpBatch> {
 public:
  // Some pictures; jobs of many are asked for alone.
  static constexpr size_t kMostBytes = size_t{64} << 20;

  // `count` is 1 or more; `exchange` is answered by the batch alone.
  static std::shared_ptr<McpBatch> Begin(HttpExchangeRef exchange, size_t count,
                                         size_t most_bytes = kMostBytes);

  // Where the answer to message `index` goes, which is whole: nothing streams
  // within a batch. One that is dropped is an entry with an error for `id`, or
  // none for a notification, which has no id.
  HttpExchangeRef Part(size_t index, std::optional<nlohmann::json> id);

 private:
  class PartExchange;

  McpBatch(HttpExchangeRef exchange, size_t count, size_t most_bytes);
  void Take(size_t index, HttpResponse response,
            const std::optional<nlohmann::json>& id)
      ABSL_LOCKS_EXCLUDED(mutex_);
  void OnGone(size_t index, std::function<void()> gone)
      ABSL_LOCKS_EXCLUDED(mutex_);
  void Gone() ABSL_LOCKS_EXCLUDED(mutex_);

  const HttpExchangeRef exchange_;
  const size_t most_bytes_;
  absl::Mutex mutex_;
  std::vector<std::optional<HttpResponse>> answers_ ABSL_GUARDED_BY(mutex_);
  // How those without an answer are told that the client has gone.
  std::vector<std::function<void()>> gone_ ABSL_GUARDED_BY(mutex_);
  size_t bytes_ ABSL_GUARDED_BY(mutex_) = 0;  // of answers_
  size_t missing_ ABSL_GUARDED_BY(mutex_);
  bool is_gone_ ABSL_GUARDED_BY(mutex_) = false;
};

}  // namespace genzo

#endif  // GENZO_GATEWAY_MCP_BATCH_H_
