#include "server/rpc/listener.h"

#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/logging.h"

namespace genzo {
namespace {

constexpr int kBacklog = 1024;
// After a failure to accept. The connection that waits keeps the socket
// readable, so that without a pause the thread would spin.
constexpr int kPauseMilliseconds = 100;
// More descriptors than this no server of ours needs; some systems' hard limit
// is a billion.
constexpr rlim_t kMostDescriptors = 1 << 20;

absl::Status CannotBeUsed(const std::string& address,
                          const std::string& reason) {
  return absl::UnavailableError(
      absl::StrCat("listen address ", address, " cannot be used: ", reason));
}

void SetOption(int socket, int level, int name, int value) {
  setsockopt(socket, level, name, &value, sizeof(value));
}

int PortOf(int socket) {
  sockaddr_storage bound = {};
  socklen_t size = sizeof(bound);
  getsockname(socket, reinterpret_cast<sockaddr*>(&bound), &size);
  return ntohs(bound.ss_family == AF_INET6
                   ? reinterpret_cast<sockaddr_in6*>(&bound)->sin6_port
                   : reinterpret_cast<sockaddr_in*>(&bound)->sin_port);
}

void SetPort(addrinfo& info, int port) {
  if (info.ai_family == AF_INET6) {
    reinterpret_cast<sockaddr_in6*>(info.ai_addr)->sin6_port = htons(port);
  } else {
    reinterpret_cast<sockaddr_in*>(info.ai_addr)->sin_port = htons(port);
  }
}

// A socket that listens, or -1 with errno.
int ListenOn(const addrinfo& info) {
  const int made =
      socket(info.ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (made < 0) return -1;
  SetOption(made, SOL_SOCKET, SO_REUSEADDR, 1);
  // [::] is every address of either version.
  if (info.ai_family == AF_INET6) SetOption(made, IPPROTO_IPV6, IPV6_V6ONLY, 0);
  if (bind(made, info.ai_addr, info.ai_addrlen) == 0 &&
      listen(made, kBacklog) == 0) {
    return made;
  }
  const int error = errno;
  close(made);
  errno = error;
  return -1;
}

}  // namespace

int RaiseDescriptorLimit() {
  rlimit limit = {};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return 1024;
  const rlim_t wanted = std::min(limit.rlim_max, kMostDescriptors);
  if (limit.rlim_cur < wanted) {
    const rlimit raised = {wanted, limit.rlim_max};
    if (setrlimit(RLIMIT_NOFILE, &raised) == 0) limit.rlim_cur = wanted;
  }
  return static_cast<int>(std::min(limit.rlim_cur, kMostDescriptors));
}

int ConnectionCap(int limit) {
  return std::max(1, limit - std::clamp(limit / 4, 16, 256));
}

int HttpConnectionCap(int wanted, int limit) {
  return std::clamp(ConnectionCap(limit) / 4, 1, std::max(1, wanted));
}

absl::StatusOr<std::unique_ptr<Listener>> Listener::Create(
    const std::string& address, int cap) {
  std::unique_ptr<Listener> listener(new Listener(cap));
  const absl::Status status = listener->Listen(address);
  if (!status.ok()) return status;
  return listener;
}

absl::Status Listener::Listen(const std::string& address) {
  const size_t colon = address.rfind(':');
  std::string host = address.substr(0, colon);
  if (host.size() > 1 && host.front() == '[' && host.back() == ']') {
    host = host.substr(1, host.size() - 2);
  }
  addrinfo hints = {};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_PASSIVE | AI_NUMERICSERV;
  addrinfo* found = nullptr;
  const int failed = getaddrinfo(
      host.c_str(), address.substr(colon + 1).c_str(), &hints, &found);
  if (failed != 0) return CannotBeUsed(address, gai_strerror(failed));
  const std::unique_ptr<addrinfo, decltype(&freeaddrinfo)> owner(found,
                                                                 freeaddrinfo);
  int error = 0;
  for (addrinfo* info = found; info != nullptr; info = info->ai_next) {
    if (port_ != 0) SetPort(*info, port_);
    const int listening = ListenOn(*info);
    // A host without IPv6 has "localhost" with an address of it all the same.
    if (listening < 0 && errno == EADDRNOTAVAIL && !sockets_.empty()) continue;
    if (listening < 0) {
      error = errno;
      continue;
    }
    sockets_.push_back(listening);
    port_ = PortOf(listening);
  }
  int ends[2] = {-1, -1};
  if (error == 0 && pipe2(ends, O_CLOEXEC) != 0) error = errno;
  if (error != 0) return CannotBeUsed(address, strerror(error));
  stop_read_ = ends[0];
  stop_write_ = ends[1];
  return absl::OkStatus();
}

Listener::~Listener() {
  Stop();
  for (int descriptor : {stop_read_, stop_write_}) {
    if (descriptor >= 0) close(descriptor);
  }
}

void Listener::Start(Accepted accepted) {
  accepted_ = std::move(accepted);
  thread_ = std::thread([this] { Loop(); });
}

void Listener::Stop() {
  if (thread_.joinable()) {
    while (write(stop_write_, "", 1) < 0 && errno == EINTR) {
    }
    thread_.join();
  }
  for (int socket : sockets_) close(socket);
  sockets_.clear();
}

void Listener::Loop() {
  std::vector<pollfd> polled = {{stop_read_, POLLIN, 0}};
  for (int socket : sockets_) polled.push_back({socket, POLLIN, 0});
  while (true) {
    poll(polled.data(), polled.size(), /*timeout=*/-1);
    if (polled[0].revents != 0) return;
    bool went_well = true;
    for (size_t i = 1; i < polled.size(); ++i) {
      if (polled[i].revents == 0) continue;
      went_well = AcceptOne(polled[i].fd) && went_well;
    }
    if (!went_well) poll(polled.data(), 1, kPauseMilliseconds);
  }
}

bool Listener::AcceptOne(int socket) {
  sockaddr_storage peer = {};
  socklen_t size = sizeof(peer);
  const int accepted = accept4(socket, reinterpret_cast<sockaddr*>(&peer),
                               &size, SOCK_NONBLOCK | SOCK_CLOEXEC);
  if (accepted < 0) {
    // Its client may have gone while it waited.
    const bool harmless = errno == EAGAIN || errno == EINTR ||
                          errno == ECONNABORTED || errno == EPROTO;
    if (!harmless) spdlog::warn("a connection waits: {}", strerror(errno));
    return harmless;
  }
  // The system gives the lowest number that is free: so many are open.
  const bool is_full = accepted >= cap_;
  if (is_full || !shares_.Take(accepted, peer)) {
    close(accepted);
    if (std::exchange(was_full_, true)) return true;
    spdlog::warn("connections are closed: {}",
                 is_full ? absl::StrCat(accepted, " descriptors are open")
                         : "their network has its share");
    return true;
  }
  was_full_ = false;
  SetOption(accepted, IPPROTO_TCP, TCP_NODELAY, 1);
  accepted_(accepted);
  return true;
}

}  // namespace genzo
