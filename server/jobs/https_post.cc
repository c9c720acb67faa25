#include "server/jobs/https_post.h"

#include <arpa/inet.h>
#include <unistd.h>

#include <array>
#include <cstring>
#include <memory>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "base/freed_by.h"
#include "curl/curl.h"

namespace genzo {
namespace {

constexpr size_t kMaxUrlBytes = 2048;
constexpr long kConnectSeconds = 3;
constexpr long kTotalSeconds = 10;

using Url = FreedBy<CURLU, curl_url_cleanup>;
using Handle = FreedBy<CURL, curl_easy_cleanup>;
using Headers = FreedBy<curl_slist, curl_slist_free_all>;

// Empty if the URL has no such part.
std::string PartOf(CURLU* url, CURLUPart part, unsigned flags = 0) {
  char* text = nullptr;
  if (curl_url_get(url, part, &text, flags) != CURLUE_OK) return "";
  std::string copy = text;
  curl_free(text);
  return copy;
}

struct Block {
  uint32_t first;
  int bits;
};

// https://www.iana.org/assignments/iana-ipv4-special-registry
constexpr Block kSpecial[] = {
    {0x00000000, 8},  {0x0A000000, 8},  {0x64400000, 10}, {0x7F000000, 8},
    {0xA9FE0000, 16}, {0xAC100000, 12}, {0xC0000000, 24}, {0xC0000200, 24},
    {0xC0A80000, 16}, {0xC6120000, 15}, {0xC6336400, 24}, {0xCB007100, 24},
    {0xE0000000, 4},  {0xF0000000, 4}};

bool IsPublic(uint32_t address) {
  for (const Block& block : kSpecial) {
    if ((address ^ block.first) >> (32 - block.bits) == 0) return false;
  }
  return true;
}

uint32_t FourBytes(const uint8_t* bytes) {
  return uint32_t{bytes[0]} << 24 | uint32_t{bytes[1]} << 16 |
         uint32_t{bytes[2]} << 8 | uint32_t{bytes[3]};
}

bool IsPublic(const in6_addr& address) {
  const uint8_t* const bytes = address.s6_addr;
  static constexpr uint8_t kMapped[12] = {0, 0, 0, 0, 0,    0,
                                          0, 0, 0, 0, 0xFF, 0xFF};
  static constexpr uint8_t kTranslated[12] = {0, 0x64, 0xFF, 0x9B};
  if (memcmp(bytes, kMapped, sizeof(kMapped)) == 0 ||
      memcmp(bytes, kTranslated, sizeof(kTranslated)) == 0) {
    return IsPublic(FourBytes(bytes + 12));
  }
  // Of those that are given out, 2000::/3, not 6to4, Teredo or examples.
  const uint32_t first = FourBytes(bytes);
  return (first >> 29) == 1 && (first >> 16) != 0x2002 && first != 0x20010000 &&
         first != 0x20010DB8;
}

curl_socket_t OpenPublic(void* may_be_private, curlsocktype,
                         curl_sockaddr* address) {
  const bool allowed = *static_cast<const bool*>(may_be_private) ||
                       IsPublicAddress(&address->addr);
  if (!allowed) return CURL_SOCKET_BAD;
  return socket(address->family, address->socktype | SOCK_CLOEXEC,
                address->protocol);
}

size_t Discard(char*, size_t size, size_t count, void*) { return size * count; }

}  // namespace

absl::StatusOr<HttpsTarget> ParseHttpsUrl(const std::string& text) {
  if (text.size() > kMaxUrlBytes) {
    return absl::InvalidArgumentError(absl::StrCat(
        "has ", text.size(), " bytes, the limit is ", kMaxUrlBytes));
  }
  const Url url(curl_url());
  if (text.find('\0') != std::string::npos ||
      curl_url_set(url.get(), CURLUPART_URL, text.c_str(), 0) != CURLUE_OK) {
    return absl::InvalidArgumentError("is no URL");
  }
  if (PartOf(url.get(), CURLUPART_SCHEME) != "https") {
    return absl::InvalidArgumentError("is no https URL");
  }
  for (const CURLUPart part :
       {CURLUPART_USER, CURLUPART_PASSWORD, CURLUPART_FRAGMENT}) {
    if (PartOf(url.get(), part).empty()) continue;
    return absl::InvalidArgumentError("has a user, a password or a fragment");
  }
  return HttpsTarget{
      PartOf(url.get(), CURLUPART_URL),
      absl::StrCat(absl::AsciiStrToLower(PartOf(url.get(), CURLUPART_HOST)),
                   ":", PartOf(url.get(), CURLUPART_PORT, CURLU_DEFAULT_PORT))};
}

bool IsPublicAddress(const sockaddr* address) {
  if (address->sa_family == AF_INET) {
    return IsPublic(
        ntohl(reinterpret_cast<const sockaddr_in*>(address)->sin_addr.s_addr));
  }
  return address->sa_family == AF_INET6 &&
         IsPublic(reinterpret_cast<const sockaddr_in6*>(address)->sin6_addr);
}

absl::StatusOr<int> PostHttps(const HttpsRequest& request) {
  const Handle handle(curl_easy_init());
  CURL* const curl = handle.get();
  Headers headers(curl_slist_append(nullptr, "content-type: application/json"));
  for (const auto& [name, value] : request.headers) {
    const std::string line = absl::StrCat(name, ": ", value);
    curl_slist_append(headers.get(), line.c_str());
  }
  std::array<char, CURL_ERROR_SIZE> error = {};
  curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, error.data());
  curl_easy_setopt(curl, CURLOPT_URL, request.target.url.c_str());
  curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "https");
  curl_easy_setopt(curl, CURLOPT_FOLLOWLOCATION, 0L);
  // One from the environment would connect in our place, to any address.
  curl_easy_setopt(curl, CURLOPT_PROXY, "");
  curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT, kConnectSeconds);
  curl_easy_setopt(curl, CURLOPT_TIMEOUT, kTotalSeconds);
  curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers.get());
  curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE_LARGE,
                   static_cast<curl_off_t>(request.body.size()));
  curl_easy_setopt(curl, CURLOPT_POSTFIELDS, request.body.data());
  curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, Discard);
  curl_easy_setopt(curl, CURLOPT_OPENSOCKETFUNCTION, OpenPublic);
  bool may_be_private = request.may_be_private;
  curl_easy_setopt(curl, CURLOPT_OPENSOCKETDATA, &may_be_private);
  if (!request.ca_file.empty()) {
    curl_easy_setopt(curl, CURLOPT_CAINFO, request.ca_file.c_str());
  }
  const TransferEnd never;
  const absl::Status done =
      (request.end == nullptr ? never : *request.end).Perform(curl);
  if (!done.ok()) {
    return error[0] == '\0' ? done : absl::UnavailableError(error.data());
  }
  long code = 0;
  curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &code);
  return static_cast<int>(code);
}

}  // namespace genzo
