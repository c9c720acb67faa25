#include "gateway/http_session.h"

#include "gateway/target.h"

namespace genzo {
namespace {

constexpr size_t kReadBytes = 64 << 10;
// For a refused client to read why, before the connection is cut.
constexpr auto kLinger = std::chrono::seconds(2);

}  // namespace

HttpSession::HttpSession(std::shared_ptr<HttpCore> core,
                         HttpStream::Socket socket,
                         boost::asio::ssl::context* context)
    : core_(std::move(core)),
      stream_(std::move(socket), context),
      buffer_(kReadBytes),
      deadline_(stream_.get_executor()),
      keepalive_(stream_.get_executor()) {}

void HttpSession::Start() {
  Post([](HttpSession& self) { self.Handshake(); });
}

void HttpSession::CloseWhenIdle() {
  Post([](HttpSession& self) {
    self.close_after_ = true;
    if (!self.is_answering_) self.Close();
  });
}

void HttpSession::CloseNow() {
  Post([](HttpSession& self) { self.Close(); });
}

std::chrono::nanoseconds HttpSession::SlowFor(SteadyTime now) const {
  const SteadyTime began = reading_since_;
  if (began == SteadyTime()) return {};
  const absl::Duration time = absl::FromChrono(now - began);
  const absl::Duration counted = time - core_->limits.grace_time;
  const double due = absl::ToDoubleSeconds(counted) *
                     static_cast<double>(core_->limits.least_bytes_per_second);
  const bool is_slow = static_cast<double>(charged_) < due;
  return is_slow ? absl::ToChronoNanoseconds(time) : std::chrono::nanoseconds();
}

void HttpSession::Handshake() {
  BeginReading();
  const absl::Duration patience = core_->limits.header_time;
  SetDeadline(absl::ToChronoNanoseconds(patience));
  stream_.Handshake([self = shared_from_this(), patience](const Error& error) {
    if (error) return self->Close();
    self->AwaitRequest(patience);
  });
}

void HttpSession::Dispatch() {
  reading_since_ = SteadyTime();
  DropDeadline();
  // Only now is it sure that a newcomer did not take its place.
  if (!core_->Wake(this)) return Close();
  auto target = ParseTarget(target_);
  if (!target.ok()) {
    return Refuse({400, std::string(target.status().message())});
  }
  if (!parser_->keep_alive() || core_->is_stopping) close_after_ = true;
  HttpRequest request = TakeRequest();
  request.path = std::move(target->path);
  request.query = std::move(target->query);
  is_answering_ = true;
  has_begun_ = has_ended_ = is_streaming_ = is_chunked_ = false;
  const auto exchange = MakeHttpExchange(weak_from_this(), ++serial_);
  Watch();
  core_->handler(std::move(request), exchange);
  ChargeBody(0);
}

void HttpSession::SetDeadline(std::chrono::nanoseconds time) {
  const uint64_t number = ++deadline_number_;
  deadline_.expires_after(time);
  deadline_.async_wait([self = shared_from_this(), number](const Error& error) {
    if (!error && number == self->deadline_number_) self->Close();
  });
}

void HttpSession::DropDeadline() {
  ++deadline_number_;
  deadline_.cancel();
}

void HttpSession::Gone() {
  is_gone_ = true;
  if (const auto gone = std::exchange(on_gone_, nullptr)) gone();
}

void HttpSession::Linger() {
  is_lingering_ = true;
  SetDeadline(kLinger);
  stream_.FinishWriting();
  Discard();
}

void HttpSession::Discard() {
  if (is_watching_) return;
  buffer_.consume(buffer_.size());
  stream_.async_read_some(buffer_.prepare(kReadBytes / 2),
                          Then(&HttpSession::OnDiscarded));
}

void HttpSession::OnDiscarded(const Error& error, size_t) {
  if (error) return Close();
  Discard();
}

void HttpSession::Close() {
  if (std::exchange(is_closed_, true)) return;
  DropDeadline();
  keepalive_.cancel();
  stream_.Close();
  ChargeBody(0);
  Gone();
  // A piece that is being written is told by its own completion.
  while (pieces_.size() > (is_writing_ ? 1 : 0)) {
    const auto written = std::move(pieces_.back().written);
    pieces_.pop_back();
    if (written) written(false);
  }
  core_->Remove(this);
}

std::shared_ptr<HttpConnection> MakeHttpConnection(
    std::shared_ptr<HttpCore> core, boost::asio::ip::tcp::socket socket) {
  const auto context =
      core->certificate == nullptr ? nullptr : core->certificate->Context();
  return std::make_shared<HttpSession>(std::move(core), std::move(socket),
                                       context.get());
}

}  // namespace genzo
