#include "gateway/http_core.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"

namespace genzo {

int HttpCore::ShareOf(const HttpPeer& peer) const {
  if (peer.network.empty()) return limits.max_connections;
  if (peer.is_loopback && limits.spares_loopback) return limits.max_connections;
  if (limits.max_connections_per_address > 0) {
    return limits.max_connections_per_address;
  }
  return std::max(1, limits.max_connections / 2);
}

std::string HttpCore::MakeRoom(const HttpPeer& peer) {
  std::shared_ptr<HttpConnection> given_up;  // outlives the lock
  const absl::MutexLock lock(&mutex_);
  const int share = ShareOf(peer);
  const auto held = held_.find(peer.network);
  const bool has_share = share < limits.max_connections &&
                         held != held_.end() && held->second >= share;
  const bool is_full =
      connections_.size() >= static_cast<size_t>(limits.max_connections);
  if (!is_full && !has_share) return "";
  // Who has its share makes room for itself, and takes nobody else's place.
  const auto last = LeastUsed(has_share ? &peer.network : nullptr);
  if (last != connections_.end()) {
    given_up = last->second.connection;
    Forget(last);
    given_up->CloseNow();
    return "";
  }
  if (!has_share) {
    return absl::StrCat(limits.max_connections,
                        " connections are open, the most there may be");
  }
  return absl::StrCat(share, " connections are open from ", peer.network,
                      ", the most there may be from one address");
}

HttpCore::OpenOnes::iterator HttpCore::LeastUsed(const std::string* network) {
  const auto counts = [&](const Open& open) {
    return network == nullptr || open.network == *network;
  };
  for (const auto& [rest, connection] : resting_) {
    const auto open = connections_.find(connection);
    if (counts(open->second)) return open;
  }
  const auto now = std::chrono::steady_clock::now();
  auto slowest = connections_.end();
  std::chrono::nanoseconds longest{0};
  for (auto open = connections_.begin(); open != connections_.end(); ++open) {
    if (!counts(open->second)) continue;
    const auto time = open->second.connection->SlowFor(now);
    if (time <= longest) continue;
    longest = time;
    slowest = open;
  }
  return slowest;
}

void HttpCore::Add(const std::shared_ptr<HttpConnection>& connection,
                   const HttpPeer& peer) {
  const absl::MutexLock lock(&mutex_);
  connections_[connection.get()] = {.connection = connection,
                                    .network = peer.network};
  ++held_[peer.network];
}

void HttpCore::Remove(HttpConnection* connection) {
  const absl::MutexLock lock(&mutex_);
  const auto found = connections_.find(connection);
  if (found != connections_.end()) Forget(found);
}

void HttpCore::Forget(OpenOnes::iterator open) {
  EndRest(open->second);
  const auto held = held_.find(open->second.network);
  if (--held->second == 0) held_.erase(held);
  connections_.erase(open);
}

void HttpCore::Rest(HttpConnection* connection) {
  const absl::MutexLock lock(&mutex_);
  const auto found = connections_.find(connection);
  if (found == connections_.end()) return;
  found->second.rest = ++rests_;
  resting_[rests_] = connection;
}

bool HttpCore::Wake(HttpConnection* connection) {
  const absl::MutexLock lock(&mutex_);
  const auto found = connections_.find(connection);
  if (found == connections_.end()) return false;
  EndRest(found->second);
  return true;
}

void HttpCore::EndRest(Open& open) {
  if (open.rest != 0) resting_.erase(std::exchange(open.rest, 0));
}

std::vector<std::shared_ptr<HttpConnection>> HttpCore::connections() const {
  const absl::MutexLock lock(&mutex_);
  std::vector<std::shared_ptr<HttpConnection>> open;
  for (const auto& [key, entry] : connections_) {
    open.push_back(entry.connection);
  }
  return open;
}

bool HttpCore::WaitUntilEmpty(absl::Duration timeout) const {
  const absl::MutexLock lock(&mutex_);
  return mutex_.AwaitWithTimeout(
      absl::Condition(
          +[](const decltype(connections_)* open) { return open->empty(); },
          &connections_),
      timeout);
}

}  // namespace genzo
