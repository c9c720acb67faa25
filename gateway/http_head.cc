#include "gateway/http_head.h"

#include <algorithm>
#include <sstream>
#include <vector>

#include "absl/random/random.h"
#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "absl/time/clock.h"
#include "boost/beast/core/string.hpp"
#include "boost/beast/http/empty_body.hpp"
#include "boost/beast/http/error.hpp"
#include "boost/beast/http/write.hpp"
#include "gateway/door_error.h"
#include "gateway/http_core.h"
#include "gateway/target.h"

namespace genzo {
namespace {

namespace http = boost::beast::http;
using boost::system::error_code;
using Head = http::response<http::empty_body>;

// Of these whoever stands before the door might take another one.
constexpr const char* kOnce[] = {
    "authorization",   "x-api-key",    "x-genzo-tenant",
    "idempotency-key", "content-type", "content-encoding",
    "last-event-id",   "origin",       "mcp-session-id"};
constexpr char kFirstLine[] =
    "the request's first line is not METHOD TARGET HTTP/1.1 with CR and LF";
constexpr char kVersions[] = "the HTTP version is neither 1.0 nor 1.1";

// As RFC 9110 writes a date.
std::string HttpDate() {
  return absl::FormatTime("%a, %d %b %Y %H:%M:%S GMT", absl::Now(),
                          absl::UTCTimeZone());
}

std::string TextOf(const Head& head) {
  std::ostringstream text;
  text << head.base();
  return text.str();
}

// Whether the first line ends with an HTTP version, CR and LF. The parser calls
// everything else a wrong version, too: a line without CR, or with more words.
bool NamesAVersion(absl::string_view bytes) {
  absl::string_view line = bytes.substr(0, bytes.find('\n'));
  if (line.size() == bytes.size() || !absl::ConsumeSuffix(&line, "\r") ||
      absl::StrContains(line, '\r')) {
    return false;
  }
  const std::vector<absl::string_view> words = absl::StrSplit(line, ' ');
  absl::string_view version = words.back();
  return words.size() == 3 && absl::ConsumePrefix(&version, "HTTP/") &&
         version.size() == 3 && absl::ascii_isdigit(version[0]) &&
         version[1] == '.' && absl::ascii_isdigit(version[2]);
}

}  // namespace

std::optional<HttpFault> FaultOfHead(const HttpRequestHead& head) {
  const unsigned version = head.version();
  if (version != 11 && version != 10) return HttpFault{505, kVersions};
  const size_t hosts = head.count(http::field::host);
  if (hosts > 1 || (hosts == 0 && version == 11)) {
    return HttpFault{400, absl::StrCat("the header Host occurs ", hosts,
                                       " times; it must occur once")};
  }
  // The parser takes a coding that it does not know for none, and a proxy may
  // take it for one.
  const size_t codings = head.count(http::field::transfer_encoding);
  if (codings > 0 && (version == 10 || codings > 1 ||
                      !boost::beast::iequals(
                          head[http::field::transfer_encoding], "chunked"))) {
    return HttpFault{501, "the header Transfer-Encoding is not \"chunked\""};
  }
  // Beast takes several that say the same; another reader may take the first.
  const size_t lengths = head.count(http::field::content_length);
  const auto length = head[http::field::content_length];
  if (lengths > 1 || length.find(',') != length.npos) {
    return HttpFault{400, "the header Content-Length is not one number"};
  }
  if (head.method() == http::verb::connect) {
    return HttpFault{501, "CONNECT is not done here"};
  }
  for (const char* name : kOnce) {
    if (head.count(name) <= 1) continue;
    return HttpFault{
        400, absl::StrCat("the header ", name, " occurs ", head.count(name),
                          " times; it may occur once")};
  }
  const auto encoding = head[http::field::content_encoding];
  if (!encoding.empty() && !boost::beast::iequals(encoding, "identity")) {
    return HttpFault{415, "the header Content-Encoding is not \"identity\""};
  }
  return std::nullopt;
}

std::optional<HttpFault> FaultOfReading(const error_code& error,
                                        const HttpLimits& limits,
                                        absl::string_view bytes) {
  if (error == http::error::header_limit) {
    return HttpFault{431, absl::StrCat("the request's header has more than ",
                                       limits.max_header_bytes, " bytes")};
  }
  if (error == http::error::body_limit) {
    return HttpFault{413, absl::StrCat("the request's body has more than ",
                                       limits.max_body_bytes, " bytes")};
  }
  if (error == http::error::bad_version) {
    return NamesAVersion(bytes) ? HttpFault{505, kVersions}
                                : HttpFault{400, kFirstLine};
  }
  if (error == http::error::end_of_stream ||
      error == http::error::partial_message ||
      error.category() != make_error_code(http::error::bad_method).category()) {
    return std::nullopt;
  }
  return HttpFault{400,
                   absl::StrCat("the request is not HTTP: ", error.message())};
}

HttpResponse RefusalFor(absl::string_view target, const HttpFault& fault) {
  const auto read = ParseTarget(target);
  return ErrorResponse(
      DoorOf(read.ok() ? absl::string_view(read->path) : target), fault.status,
      fault.why);
}

std::string RequestIdOr(const std::string& wanted) {
  const auto is_plain = [](char c) {
    return absl::ascii_isalnum(c) || c == '-' || c == '_' || c == '.';
  };
  if (!wanted.empty() && wanted.size() <= 64 &&
      std::all_of(wanted.begin(), wanted.end(), is_plain)) {
    return wanted;
  }
  thread_local absl::BitGen random;
  return absl::StrFormat("req_%016x%016x", absl::Uniform<uint64_t>(random),
                         absl::Uniform<uint64_t>(random));
}

std::string HeadText(const HttpResponse& response,
                     const HttpHeadOptions& options) {
  Head head(static_cast<http::status>(response.status), 11);
  head.set(http::field::date, HttpDate());
  if (!response.content_type.empty()) {
    head.set(http::field::content_type, response.content_type);
  }
  head.set("x-request-id", options.request_id);
  head.set("x-content-type-options", "nosniff");
  for (const auto& [name, value] : response.headers) head.insert(name, value);
  if (options.closes) {
    head.set(http::field::connection, "close");
  } else if (options.is_old) {
    head.set(http::field::connection, "keep-alive");
  }
  if (options.is_chunked) {
    head.set(http::field::transfer_encoding, "chunked");
  }
  return TextOf(head);
}

bool HasBody(int status) { return status != 204 && status != 304; }

std::string RefusalText(int status, const std::string& message) {
  HttpResponse refusal = ErrorResponse(DoorKind::kOpenAi, status, message);
  refusal.headers.emplace_back("retry-after", "1");
  refusal.headers.emplace_back("content-length",
                               absl::StrCat(refusal.body.size()));
  return HeadText(refusal, {.request_id = RequestIdOr(""), .closes = true}) +
         refusal.body;
}

}  // namespace genzo
