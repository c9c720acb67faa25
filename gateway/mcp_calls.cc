#include "gateway/mcp_calls.h"

#include <utility>
#include <vector>

namespace genzo {

McpCalls::Call::Call(McpCalls& calls, Key key)
    : calls_(calls), key_(std::move(key)) {
  const absl::MutexLock lock(&calls_.mutex_);
  calls_.live_.emplace(key_, this);
}

McpCalls::Call::~Call() {
  const absl::MutexLock lock(&calls_.mutex_);
  auto [from, to] = calls_.live_.equal_range(key_);
  while (from != to && from->second != this) ++from;
  if (from != to) calls_.live_.erase(from);
}

std::shared_ptr<McpCalls::Call> McpCalls::Begin(Key key) {
  return std::make_shared<Call>(*this, std::move(key));
}

void McpCalls::Cancel(const Key& key) {
  // Called with no lock held: the ends of calls take it.
  std::vector<std::shared_ptr<LateCancel>> cancels;
  {
    const absl::MutexLock lock(&mutex_);
    const auto [from, to] = live_.equal_range(key);
    for (auto call = from; call != to; ++call) {
      cancels.push_back(call->second->cancel_);
    }
  }
  for (const auto& cancel : cancels) cancel->Cancel();
}

}  // namespace genzo
