#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "base/logging.h"
#include "boost/asio/write.hpp"
#include "boost/beast/core/buffers_to_string.hpp"
#include "boost/beast/http/chunk_encode.hpp"
#include "gateway/http_session.h"

namespace genzo {

namespace http = boost::beast::http;

namespace {

constexpr size_t kWriteBytes = 64 << 10;
// What Server-Sent Events call a comment: proxies see that the stream lives.
constexpr char kKeepalive[] = ": keepalive\n\n";

std::string ChunkOf(const std::string& bytes) {
  return boost::beast::buffers_to_string(
      http::make_chunk(boost::asio::buffer(bytes)));
}

}  // namespace

void HttpSession::Refuse(const HttpFault& fault) {
  reading_since_ = SteadyTime();
  close_after_ = is_answering_ = true;
  has_begun_ = has_ended_ = is_streaming_ = false;
  if (request_id_.empty()) request_id_ = RequestIdOr("");
  Send(++serial_, RefusalOf(fault));
}

HttpResponse HttpSession::RefusalOf(const HttpFault& fault) const {
  HttpResponse refusal = RefusalFor(target_, fault);
  if (core_->headers_for_origin == nullptr) return refusal;
  for (auto& header : core_->headers_for_origin(origin_)) {
    refusal.headers.push_back(std::move(header));
  }
  return refusal;
}

HttpHeadOptions HttpSession::HeadOptions() const {
  return {.request_id = request_id_,
          .closes = close_after_,
          .is_old = version_ == 10};
}

void HttpSession::Send(uint64_t serial, HttpResponse response) {
  if (serial != serial_ || !is_answering_ || has_begun_) return;
  has_begun_ = has_ended_ = true;
  status_ = response.status;
  const bool has_body = HasBody(response.status);
  if (has_body) {
    response.headers.emplace_back("content-length",
                                  absl::StrCat(response.body.size()));
  }
  std::string bytes = HeadText(response, HeadOptions());
  if (has_body && method_ != "HEAD") bytes += response.body;
  Push(std::move(bytes), nullptr);
}

void HttpSession::Begin(uint64_t serial, HttpResponse response) {
  if (serial != serial_ || !is_answering_ || has_begun_ || is_closed_) return;
  has_begun_ = is_streaming_ = true;
  status_ = response.status;
  is_chunked_ = version_ == 11;
  if (!is_chunked_) close_after_ = true;
  HttpHeadOptions options = HeadOptions();
  options.is_chunked = is_chunked_;
  // What is not to be written has ended as soon as it has begun.
  has_ended_ = method_ == "HEAD";
  Push(HeadText(response, options), nullptr);
  if (!has_ended_) ArmKeepalive();
}

void HttpSession::Write(uint64_t serial, std::string bytes,
                        std::function<void(bool)> written) {
  if (serial != serial_ || !is_streaming_ || has_ended_ || is_gone_) {
    if (written) written(false);
    return;
  }
  if (is_chunked_ && !bytes.empty()) bytes = ChunkOf(bytes);
  Push(std::move(bytes), std::move(written));
}

void HttpSession::End(uint64_t serial) {
  if (serial != serial_ || !is_streaming_ || has_ended_) return;
  has_ended_ = true;
  Push(is_chunked_ ? boost::beast::buffers_to_string(http::make_chunk_last())
                   : "",
       nullptr);
}

void HttpSession::OnGone(uint64_t serial, std::function<void()> gone) {
  if (serial != serial_ || !is_answering_) return;
  on_gone_ = std::move(gone);
  if (is_gone_) Gone();
}

void HttpSession::Abandon(uint64_t serial) {
  if (serial != serial_ || !is_answering_ || has_ended_) return;
  // Half a stream must not look like a whole one.
  if (has_begun_) return Close();
  Send(serial, RefusalOf({500, "the request was given up inside"}));
}

void HttpSession::Push(std::string bytes, std::function<void(bool)> written) {
  if (is_closed_) {
    if (written) written(false);
    return;
  }
  pieces_.push_back({std::move(bytes), std::move(written)});
  if (!is_writing_) WriteNext();
}

void HttpSession::WriteNext() {
  is_writing_ = true;
  const auto patience = absl::ToChronoNanoseconds(core_->limits.write_time);
  SetDeadline(patience);
  // Asked after every piece that the system took: whoever takes something has
  // time for more.
  const auto go_on = [this, patience, taken = size_t{0}](
                         const Error& error, size_t total) mutable -> size_t {
    if (error) return 0;
    if (total > std::exchange(taken, total)) SetDeadline(patience);
    return kWriteBytes;
  };
  boost::asio::async_write(stream_, boost::asio::buffer(pieces_.front().bytes),
                           go_on, Then(&HttpSession::OnWritten));
}

void HttpSession::OnWritten(const Error& error, size_t) {
  is_writing_ = false;
  DropDeadline();
  const auto written = std::move(pieces_.front().written);
  pieces_.pop_front();
  if (written) written(!error);
  if (error) return Close();
  if (is_closed_) return;
  if (!pieces_.empty()) return WriteNext();
  if (has_ended_) FinishAnswer();
}

void HttpSession::ArmKeepalive() {
  keepalive_.expires_after(
      absl::ToChronoNanoseconds(core_->limits.keepalive_time));
  keepalive_.async_wait(
      [self = shared_from_this(), serial = serial_](const Error& error) {
        if (error || serial != self->serial_ || self->has_ended_ ||
            self->is_closed_) {
          return;
        }
        if (self->pieces_.empty()) self->Write(serial, kKeepalive, nullptr);
        self->ArmKeepalive();
      });
}

void HttpSession::FinishAnswer() {
  is_answering_ = is_streaming_ = false;
  on_gone_ = nullptr;
  keepalive_.cancel();
  spdlog::debug("http {} {} {} {:.1f} ms {}", method_,
                target_.substr(0, target_.find('?')), status_,
                absl::ToDoubleMilliseconds(absl::Now() - began_), request_id_);
  request_id_.clear();
  if (is_gone_) return Close();
  if (close_after_) return Linger();
  AwaitRequest(core_->limits.idle_time);
}

}  // namespace genzo
