#include "gateway/http_head.h"

#include <cstdint>
#include <cstdlib>
#include <string>

#include "boost/asio/buffer.hpp"
#include "boost/beast/http/parser.hpp"
#include "boost/beast/http/string_body.hpp"

// Bytes of a connection up to a request's end: what is taken has one length and
// one host, what is refused is refused whole.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  namespace http = boost::beast::http;
  const genzo::HttpLimits limits = {.max_header_bytes = 4096,
                                    .max_body_bytes = 4096};
  http::request_parser<http::string_body> parser;
  parser.header_limit(limits.max_header_bytes);
  parser.body_limit(limits.max_body_bytes);
  parser.eager(true);
  boost::system::error_code error;
  parser.put(boost::asio::buffer(data, size), error);
  const auto& head = parser.get();
  const std::string target(head.target().data(), head.target().size());
  if (error) {
    const auto fault = genzo::FaultOfReading(
        error, limits, {reinterpret_cast<const char*>(data), size});
    if (fault.has_value()) genzo::RefusalFor(target, *fault);
    return 0;
  }
  if (!parser.is_header_done()) return 0;
  const auto fault = genzo::FaultOfHead(head);
  if (fault.has_value()) {
    if (genzo::RefusalFor(target, *fault).body.empty()) std::abort();
    return 0;
  }
  if (head.count(http::field::content_length) +
          head.count(http::field::transfer_encoding) >
      1) {
    std::abort();
  }
  const auto id = head["x-request-id"];
  const std::string kept = genzo::RequestIdOr({id.data(), id.size()});
  if (kept.find_first_of("\r\n") != std::string::npos) std::abort();
  return 0;
}
