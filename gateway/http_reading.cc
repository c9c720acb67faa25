#include "absl/strings/ascii.h"
#include "absl/time/clock.h"
#include "boost/asio/write.hpp"
#include "boost/beast/core/string.hpp"
#include "boost/beast/http/read.hpp"
#include "gateway/http_session.h"

namespace genzo {

namespace http = boost::beast::http;

namespace {

constexpr size_t kFirstBytes = 4096;
constexpr char kContinue[] = "HTTP/1.1 100 Continue\r\n\r\n";

}  // namespace

void HttpSession::AwaitRequest(absl::Duration patience) {
  if (is_closed_) return;
  parser_.emplace();
  parser_->header_limit(core_->limits.max_header_bytes);
  parser_->body_limit(core_->limits.max_body_bytes);
  if (buffer_.size() > 0) return ReadHeader();
  // Newcomers have a shorter patience instead.
  if (serial_ > 0) core_->Rest(this);
  SetDeadline(absl::ToChronoNanoseconds(patience));
  // The watcher of the request before reads the next one's first bytes.
  if (is_watching_) return;
  stream_.async_read_some(buffer_.prepare(kFirstBytes),
                          Then(&HttpSession::OnFirstBytes));
}

void HttpSession::OnFirstBytes(const Error& error, size_t bytes) {
  if (error) return Close();
  buffer_.commit(bytes);
  ReadHeader();
}

void HttpSession::ReadHeader() {
  if (is_closed_) return;
  if (!core_->Wake(this)) return Close();
  BeginReading();
  SetDeadline(absl::ToChronoNanoseconds(core_->limits.header_time));
  http::async_read_header(stream_, buffer_, *parser_,
                          Then(&HttpSession::OnHeader));
}

void HttpSession::OnHeader(const Error& error, size_t) {
  if (is_closed_) return;
  began_ = absl::Now();
  // Of a header that was broken off these may be there all the same.
  const auto& header = parser_->get();
  const auto target = header.target();
  target_ = std::string(target.data(), target.size());
  version_ = header.version();
  method_ = std::string(header.method_string());
  // Now: what comes after a body in pieces counts for nothing.
  headers_.clear();
  for (const auto& field : header) {
    headers_.emplace(absl::AsciiStrToLower({field.name_string().data(),
                                            field.name_string().size()}),
                     std::string(field.value()));
  }
  const auto id = header["x-request-id"];
  request_id_ = RequestIdOr(std::string(id.data(), id.size()));
  const auto origin = header[http::field::origin];
  origin_ = std::string(origin.data(), origin.size());
  const auto left = buffer_.data();
  const auto fault =
      error
          ? FaultOfReading(error, core_->limits,
                           {static_cast<const char*>(left.data()), left.size()})
          : FaultOfHead(header);
  if (fault.has_value()) return Refuse(*fault);
  if (error) return Close();
  if (parser_->is_done()) return Dispatch();
  BeginReading();
  SetDeadline(absl::ToChronoNanoseconds(core_->limits.body_time));
  if (!boost::beast::iequals(header[http::field::expect], "100-continue")) {
    return ReadBody();
  }
  boost::asio::async_write(
      stream_, boost::asio::buffer(kContinue, sizeof(kContinue) - 1),
      [self = shared_from_this()](const Error& failed, size_t) {
        if (failed) return self->Close();
        self->ReadBody();
      });
}

void HttpSession::ReadBody() {
  if (is_closed_) return;
  http::async_read_some(stream_, buffer_, *parser_, Then(&HttpSession::OnBody));
}

void HttpSession::OnBody(const Error& error, size_t) {
  if (is_closed_) return;
  if (error) {
    const auto fault = FaultOfReading(error, core_->limits, /*bytes=*/"");
    return fault.has_value() ? Refuse(*fault) : Close();
  }
  if (!ChargeBody(parser_->get().body().size())) {
    return Refuse({503, "too many large requests are being read; try again"});
  }
  if (parser_->is_done()) return Dispatch();
  ReadBody();
}

bool HttpSession::ChargeBody(int64_t bytes) {
  const int64_t more = bytes - charged_;
  if ((core_->body_bytes += more) > core_->limits.max_bodies_bytes &&
      more > 0) {
    core_->body_bytes -= more;
    return false;
  }
  charged_ = bytes;
  return true;
}

HttpRequest HttpSession::TakeRequest() {
  HttpRequest request;
  auto message = parser_->release();
  request.method = method_;
  request.headers = std::move(headers_);
  request.body = std::move(message.body());
  request.id = request_id_;
  request.is_secure = stream_.is_secure();
  Error ignored;
  request.peer =
      stream_.socket().remote_endpoint(ignored).address().to_string();
  request.is_local =
      stream_.socket().local_endpoint(ignored).address().is_loopback();
  return request;
}

void HttpSession::Watch() {
  if (is_watching_ || buffer_.size() > 0) return;
  is_watching_ = true;
  stream_.async_read_some(buffer_.prepare(kFirstBytes),
                          Then(&HttpSession::OnWatched));
}

void HttpSession::OnWatched(const Error& error, size_t bytes) {
  is_watching_ = false;
  if (is_closed_) return;
  if (is_lingering_) return OnDiscarded(error, bytes);
  if (error) {
    if (!is_answering_) return Close();
    return Gone();
  }
  buffer_.commit(bytes);
  if (!is_answering_) ReadHeader();
}

}  // namespace genzo
