#include "server/transfer_end.h"

#include <algorithm>
#include <memory>

#include "base/clock.h"
#include "curl/curl.h"

namespace genzo {
namespace {

// How long an end that comes meanwhile may go unnoticed.
constexpr int kLookMilliseconds = 50;

}  // namespace

void TransferEnd::EndBy(absl::Time time) {
  absl::MutexLock lock(&mutex_);
  end_ = std::min(end_, time);
}

bool TransferEnd::is_over() const {
  absl::MutexLock lock(&mutex_);
  return Clock::Real().Now() >= end_;
}

absl::Status TransferEnd::Perform(void* easy) const {
  const std::unique_ptr<CURLM, decltype(&curl_multi_cleanup)> multi(
      curl_multi_init(), curl_multi_cleanup);
  curl_multi_add_handle(multi.get(), easy);
  int running = 1;
  while (running > 0 && !is_over()) {
    if (curl_multi_perform(multi.get(), &running) != CURLM_OK) break;
    if (running == 0) break;
    curl_multi_poll(multi.get(), nullptr, 0, kLookMilliseconds, nullptr);
  }
  int left = 0;
  const CURLMsg* const message = curl_multi_info_read(multi.get(), &left);
  absl::Status status = absl::UnavailableError("broken off");
  if (message != nullptr) {
    status =
        message->data.result == CURLE_OK
            ? absl::OkStatus()
            : absl::UnavailableError(curl_easy_strerror(message->data.result));
  } else {
    // Else a thread that asks for an address would be waited for.
    curl_easy_setopt(easy, CURLOPT_QUICK_EXIT, 1L);
  }
  curl_multi_remove_handle(multi.get(), easy);
  return status;
}

}  // namespace genzo
