#include "client/metrics_page.h"

#include <curl/curl.h>

#include <memory>

#include "absl/strings/str_cat.h"

namespace genzo {
namespace {

constexpr long kTimeoutMilliseconds = 5000;  // NOLINT: curl's type

size_t Append(char* bytes, size_t size, size_t count, void* page) {
  static_cast<std::string*>(page)->append(bytes, size * count);
  return size * count;
}

absl::StatusOr<std::string> Fetch(CURL* curl, const std::string& url) {
  std::string page;
  curl_easy_setopt(curl, CURLOPT_URL, url.c_str());
  curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, &Append);
  curl_easy_setopt(curl, CURLOPT_WRITEDATA, &page);
  curl_easy_setopt(curl, CURLOPT_FAILONERROR, 1L);
  // The server closes after every answer without saying so.
  curl_easy_setopt(curl, CURLOPT_FORBID_REUSE, 1L);
  curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(curl, CURLOPT_NOPROXY, "*");
  curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, kTimeoutMilliseconds);
  const CURLcode code = curl_easy_perform(curl);
  if (code == CURLE_OK) return page;
  return absl::UnavailableError(
      absl::StrCat(url, " cannot be read: ", curl_easy_strerror(code),
                   "; --admin names the server's `admin` address, which its "
                   "configuration sets"));
}

}  // namespace

MetricsReader ReadMetricsFrom(const std::string& address) {
  curl_global_init(CURL_GLOBAL_DEFAULT);
  const std::shared_ptr<CURL> curl(curl_easy_init(), &curl_easy_cleanup);
  return
      [curl, url = absl::StrCat("http://", address,
                                "/metrics")]() -> absl::StatusOr<std::string> {
        if (curl == nullptr)
          return absl::UnavailableError("libcurl did not start");
        return Fetch(curl.get(), url);
      };
}

}  // namespace genzo
