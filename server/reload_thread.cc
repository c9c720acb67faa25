#include "server/reload_thread.h"

#include <string>
#include <utility>

#include "base/logging.h"

namespace genzo {

ReloadThread::ReloadThread(std::function<absl::StatusOr<Config>()> read,
                           std::function<void(const Config&)> take)
    : read_(std::move(read)), take_(std::move(take)) {}

void ReloadThread::Ask() {
  {
    absl::MutexLock lock(&mutex_);
    if (std::exchange(asked_, true)) return;
  }
  thread_.Add([this] { Reload(); });
}

void ReloadThread::Close() {
  absl::MutexLock lock(&mutex_);
  closed_ = true;
}

void ReloadThread::Reload() {
  {
    absl::MutexLock lock(&mutex_);
    asked_ = false;
    if (closed_) return;
  }
  const auto wanted = read_();
  if (!wanted.ok()) {
    spdlog::error("the configuration is not taken over: {}",
                  std::string(wanted.status().message()));
  } else if (!closed()) {  // meanwhile
    take_(*wanted);
  }
}

bool ReloadThread::closed() const {
  absl::MutexLock lock(&mutex_);
  return closed_;
}

}  // namespace genzo
