#include <chrono>
#include <deque>
#include <sstream>

#include "absl/random/random.h"
#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/time/clock.h"
#include "base/logging.h"
#include "boost/asio/ssl/stream.hpp"
#include "boost/asio/steady_timer.hpp"
#include "boost/asio/strand.hpp"
#include "boost/asio/write.hpp"
#include "boost/beast/core/buffers_to_string.hpp"
#include "boost/beast/core/flat_buffer.hpp"
#include "boost/beast/http.hpp"
#include "gateway/http_core.h"
#include "gateway/target.h"
#include "nlohmann/json.hpp"

namespace genzo {
namespace {

namespace asio = boost::asio;
namespace http = boost::beast::http;
using asio::ip::tcp;
using boost::system::error_code;
using TlsStream = asio::ssl::stream<tcp::socket>;
using Head = http::response<http::empty_body>;

constexpr size_t kReadBytes = 64 << 10;
// For a refused client to read why, before the connection is cut.
constexpr auto kLinger = std::chrono::seconds(2);

std::string RefusalBody(const std::string& message) {
  return nlohmann::json{{"error",
                         {{"message", message},
                          {"type", "invalid_request_error"},
                          {"param", nullptr},
                          {"code", nullptr}}}}
      .dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

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

// The client's id if it is one that may be logged, else a new one.
std::string RequestId(const std::string& wanted) {
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

bool HasBody(int status) { return status != 204 && status != 304; }

tcp::socket& SocketOf(tcp::socket& stream) { return stream; }
tcp::socket& SocketOf(TlsStream& stream) { return stream.next_layer(); }

// A connection's life: handshake, then request after request. Everything but
// what is said to be thread-safe runs on the stream's strand.
template <typename Stream>
class Session : public HttpConnection,
                public std::enable_shared_from_this<Session<Stream>> {
 public:
  template <typename... Arguments>
  explicit Session(std::shared_ptr<HttpCore> core, Arguments&&... arguments)
      : core_(std::move(core)),
        stream_(std::forward<Arguments>(arguments)...),
        deadline_(stream_.get_executor()),
        keepalive_(stream_.get_executor()) {}

  void Start() override {
    Post([](Session& self) { self.Handshake(); });
  }
  void CloseWhenIdle() override {
    Post([](Session& self) {
      self.close_after_ = true;
      if (!self.is_answering_ && !self.is_reading_request_) self.Close();
    });
  }
  void CloseNow() override {
    Post([](Session& self) { self.Close(); });
  }

  // Runs `work` on the strand, also after the connection's end: whoever waits
  // for a client is told that it has gone. Thread-safe.
  template <typename Work>
  void Post(Work work) {
    asio::post(stream_.get_executor(),
               [self = this->shared_from_this(),
                work = std::move(work)]() mutable { work(*self); });
  }

  // The answer's side of things; `serial` tells the request, so that a late
  // call of one before does no harm.
  void Send(uint64_t serial, HttpResponse response);
  void Begin(uint64_t serial, HttpResponse response);
  void Write(uint64_t serial, std::string bytes,
             std::function<void(bool)> written);
  void End(uint64_t serial);
  void OnGone(uint64_t serial, std::function<void()> gone);
  void Abandon(uint64_t serial);

 private:
  struct Piece {
    std::string bytes;
    std::function<void(bool)> written;
  };

  // A handler that keeps the session alive.
  template <typename Member>
  auto Then(Member member) {
    return [self = this->shared_from_this(), member](const error_code& error,
                                                     size_t bytes = 0) {
      ((*self).*member)(error, bytes);
    };
  }

  void Handshake();
  void AwaitRequest(std::chrono::nanoseconds patience);
  void OnFirstBytes(const error_code& error, size_t bytes);
  void ReadHeader();
  void OnHeader(const error_code& error, size_t bytes);
  // What is wrong with the header, as a status and why; 0 if nothing.
  std::pair<int, std::string> FaultOfHeader() const;
  void ReadBody();
  void OnBody(const error_code& error, size_t bytes);
  void Dispatch();
  HttpRequest TakeRequest();
  void Watch();
  void OnWatched(const error_code& error, size_t bytes);
  void Gone();

  void Refuse(int status, const std::string& message);
  void RefuseFor(const error_code& error);
  Head HeadOf(const HttpResponse& response) const;
  void Push(std::string bytes, std::function<void(bool)> written);
  void WriteNext();
  void OnWritten(const error_code& error, size_t bytes);
  void ArmKeepalive();
  void FinishAnswer();
  void Linger();
  void Discard();
  void OnDiscarded(const error_code& error, size_t bytes);
  void Close();
  void SetDeadline(std::chrono::nanoseconds time);
  // Counts the bytes of a body; false, and they are not counted, if all bodies
  // together would have too many.
  bool ChargeBody(int64_t bytes);

  const std::shared_ptr<HttpCore> core_;
  Stream stream_;
  boost::beast::flat_buffer buffer_{kReadBytes};
  std::optional<http::request_parser<http::string_body>> parser_;
  asio::steady_timer deadline_;
  asio::steady_timer keepalive_;
  uint64_t deadline_number_ = 0;  // of the one that counts
  uint64_t serial_ = 0;           // of the request being answered
  std::string request_id_;
  std::string method_;
  std::string path_;
  absl::Time began_;
  int64_t charged_ = 0;  // of core_->body_bytes
  int version_ = 11;
  int status_ = 0;  // of the answer
  bool is_reading_request_ = false;
  bool is_answering_ = false;
  bool is_streaming_ = false;
  bool is_chunked_ = false;
  bool has_begun_ = false;  // the answer
  bool has_ended_ = false;
  bool is_watching_ = false;  // a read waits for the client to go away
  bool is_lingering_ = false;
  bool is_writing_ = false;
  bool is_gone_ = false;
  bool is_closed_ = false;
  bool close_after_ = false;
  std::function<void()> on_gone_;
  std::deque<Piece> pieces_;
};

// The handle that handlers hold. The session may be gone.
template <typename Stream>
class Exchange : public HttpExchange {
 public:
  Exchange(std::weak_ptr<Session<Stream>> session, uint64_t serial)
      : session_(std::move(session)), serial_(serial) {}
  ~Exchange() override {
    Post([serial = serial_](Session<Stream>& s) { s.Abandon(serial); });
  }

  void Send(HttpResponse response) override {
    Post([serial = serial_,
          response = std::move(response)](Session<Stream>& s) mutable {
      s.Send(serial, std::move(response));
    });
  }
  void Begin(HttpResponse head) override {
    Post([serial = serial_, head = std::move(head)](
             Session<Stream>& s) mutable { s.Begin(serial, std::move(head)); });
  }
  void Write(std::string bytes, std::function<void(bool)> written) override {
    const auto session = session_.lock();
    if (session == nullptr) {
      if (written) written(false);
      return;
    }
    session->Post([serial = serial_, bytes = std::move(bytes),
                   written = std::move(written)](Session<Stream>& s) mutable {
      s.Write(serial, std::move(bytes), std::move(written));
    });
  }
  void End() override {
    Post([serial = serial_](Session<Stream>& s) { s.End(serial); });
  }
  void OnGone(std::function<void()> gone) override {
    const auto session = session_.lock();
    if (session == nullptr) return gone();
    session->Post(
        [serial = serial_, gone = std::move(gone)](Session<Stream>& s) mutable {
          s.OnGone(serial, std::move(gone));
        });
  }

 private:
  template <typename Work>
  void Post(Work work) {
    if (const auto session = session_.lock()) session->Post(std::move(work));
  }

  const std::weak_ptr<Session<Stream>> session_;
  const uint64_t serial_;
};

template <typename Stream>
void Session<Stream>::SetDeadline(std::chrono::nanoseconds time) {
  const uint64_t number = ++deadline_number_;
  deadline_.expires_after(time);
  deadline_.async_wait(
      [self = this->shared_from_this(), number](const error_code& error) {
        if (!error && number == self->deadline_number_) self->Close();
      });
}

template <typename Stream>
bool Session<Stream>::ChargeBody(int64_t bytes) {
  const int64_t more = bytes - charged_;
  if ((core_->body_bytes += more) > core_->limits.max_bodies_bytes &&
      more > 0) {
    core_->body_bytes -= more;
    return false;
  }
  charged_ = bytes;
  return true;
}

template <typename Stream>
void Session<Stream>::Close() {
  if (std::exchange(is_closed_, true)) return;
  ++deadline_number_;
  deadline_.cancel();
  keepalive_.cancel();
  error_code ignored;
  SocketOf(stream_).shutdown(tcp::socket::shutdown_both, ignored);
  SocketOf(stream_).close(ignored);
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

// --- reading -----------------------------------------------------------------

template <typename Stream>
void Session<Stream>::Handshake() {
  const auto patience = absl::ToChronoNanoseconds(core_->limits.header_time);
  if constexpr (std::is_same_v<Stream, TlsStream>) {
    SetDeadline(patience);
    stream_.async_handshake(
        asio::ssl::stream_base::server,
        [self = this->shared_from_this(), patience](const error_code& error) {
          if (error) return self->Close();
          self->AwaitRequest(patience);
        });
  } else {
    AwaitRequest(patience);
  }
}

template <typename Stream>
void Session<Stream>::AwaitRequest(std::chrono::nanoseconds patience) {
  if (is_closed_) return;
  parser_.emplace();
  parser_->header_limit(core_->limits.max_header_bytes);
  parser_->body_limit(core_->limits.max_body_bytes);
  if (buffer_.size() > 0) return ReadHeader();
  SetDeadline(patience);
  // The watcher of the request before reads the next one's first bytes.
  if (is_watching_) return;
  stream_.async_read_some(buffer_.prepare(4096), Then(&Session::OnFirstBytes));
}

template <typename Stream>
void Session<Stream>::OnFirstBytes(const error_code& error, size_t bytes) {
  if (error) return Close();
  buffer_.commit(bytes);
  ReadHeader();
}

template <typename Stream>
void Session<Stream>::ReadHeader() {
  if (is_closed_) return;
  is_reading_request_ = true;
  SetDeadline(absl::ToChronoNanoseconds(core_->limits.header_time));
  http::async_read_header(stream_, buffer_, *parser_, Then(&Session::OnHeader));
}

template <typename Stream>
void Session<Stream>::OnHeader(const error_code& error, size_t) {
  if (is_closed_) return;
  began_ = absl::Now();
  if (error) return RefuseFor(error);
  const auto& header = parser_->get();
  version_ = header.version();
  method_ = std::string(header.method_string());
  const auto id = header["x-request-id"];
  request_id_ = RequestId(std::string(id.data(), id.size()));
  const auto [status, why] = FaultOfHeader();
  if (status != 0) return Refuse(status, why);
  if (parser_->is_done()) return Dispatch();
  SetDeadline(absl::ToChronoNanoseconds(core_->limits.body_time));
  if (!boost::beast::iequals(header[http::field::expect], "100-continue")) {
    return ReadBody();
  }
  static constexpr char kContinue[] = "HTTP/1.1 100 Continue\r\n\r\n";
  asio::async_write(
      stream_, asio::buffer(kContinue, sizeof(kContinue) - 1),
      [self = this->shared_from_this()](const error_code& failed, size_t) {
        if (failed) return self->Close();
        self->ReadBody();
      });
}

template <typename Stream>
std::pair<int, std::string> Session<Stream>::FaultOfHeader() const {
  const auto& header = parser_->get();
  if (version_ != 11 && version_ != 10) {
    return {505, "the HTTP version is neither 1.0 nor 1.1"};
  }
  const size_t hosts = header.count(http::field::host);
  if (hosts > 1 || (hosts == 0 && version_ == 11)) {
    return {400, absl::StrCat("the header Host occurs ", hosts,
                              " times; it must occur once")};
  }
  // The parser takes a coding that it does not know for none, and a proxy may
  // take it for one.
  const size_t codings = header.count(http::field::transfer_encoding);
  if (codings > 0 && (version_ == 10 || codings > 1 ||
                      !boost::beast::iequals(
                          header[http::field::transfer_encoding], "chunked"))) {
    return {501, "the header Transfer-Encoding is not \"chunked\""};
  }
  if (header.count(http::field::upgrade) > 0 &&
      header.method() == http::verb::connect) {
    return {501, "CONNECT is not done here"};
  }
  return {0, ""};
}

template <typename Stream>
void Session<Stream>::ReadBody() {
  if (is_closed_) return;
  http::async_read_some(stream_, buffer_, *parser_, Then(&Session::OnBody));
}

template <typename Stream>
void Session<Stream>::OnBody(const error_code& error, size_t) {
  if (is_closed_) return;
  if (error) return RefuseFor(error);
  if (!ChargeBody(parser_->get().body().size())) {
    return Refuse(503, "too many large requests are being read; try again");
  }
  if (parser_->is_done()) return Dispatch();
  ReadBody();
}

template <typename Stream>
HttpRequest Session<Stream>::TakeRequest() {
  HttpRequest request;
  auto message = parser_->release();
  request.method = method_;
  for (const auto& field : message) {
    request.headers.emplace(absl::AsciiStrToLower({field.name_string().data(),
                                                   field.name_string().size()}),
                            std::string(field.value()));
  }
  request.body = std::move(message.body());
  request.id = request_id_;
  request.is_secure = std::is_same_v<Stream, TlsStream>;
  error_code ignored;
  request.is_local =
      SocketOf(stream_).local_endpoint(ignored).address().is_loopback();
  return request;
}

template <typename Stream>
void Session<Stream>::Dispatch() {
  is_reading_request_ = false;
  ++deadline_number_;
  deadline_.cancel();
  const auto text = parser_->get().target();
  auto target = ParseTarget({text.data(), text.size()});
  if (!target.ok()) return Refuse(400, std::string(target.status().message()));
  if (!parser_->keep_alive() || core_->is_stopping) close_after_ = true;
  HttpRequest request = TakeRequest();
  request.path = path_ = std::move(target->path);
  request.query = std::move(target->query);
  is_answering_ = true;
  has_begun_ = has_ended_ = is_streaming_ = is_chunked_ = false;
  const auto exchange =
      std::make_shared<Exchange<Stream>>(this->weak_from_this(), ++serial_);
  Watch();
  core_->handler(std::move(request), exchange);
  ChargeBody(0);
}

// Reads while the answer is being made, to notice a client that goes away.
template <typename Stream>
void Session<Stream>::Watch() {
  if (is_watching_ || buffer_.size() > 0) return;
  is_watching_ = true;
  stream_.async_read_some(buffer_.prepare(4096), Then(&Session::OnWatched));
}

template <typename Stream>
void Session<Stream>::OnWatched(const error_code& error, size_t bytes) {
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

template <typename Stream>
void Session<Stream>::Gone() {
  is_gone_ = true;
  if (const auto gone = std::exchange(on_gone_, nullptr)) gone();
}

template <typename Stream>
void Session<Stream>::OnGone(uint64_t serial, std::function<void()> gone) {
  if (serial != serial_ || !is_answering_) return;
  on_gone_ = std::move(gone);
  if (is_gone_) Gone();
}

// --- answering ---------------------------------------------------------------

template <typename Stream>
void Session<Stream>::RefuseFor(const error_code& error) {
  if (error == http::error::header_limit) {
    return Refuse(431, absl::StrCat("the request's header has more than ",
                                    core_->limits.max_header_bytes, " bytes"));
  }
  if (error == http::error::body_limit) {
    return Refuse(413, absl::StrCat("the request's body has more than ",
                                    core_->limits.max_body_bytes, " bytes"));
  }
  if (error == http::error::bad_version) {
    return Refuse(505, "the HTTP version is neither 1.0 nor 1.1");
  }
  if (error == http::error::end_of_stream ||
      error == http::error::partial_message ||
      error.category() != make_error_code(http::error::bad_method).category()) {
    return Close();
  }
  Refuse(400, absl::StrCat("the request is not HTTP: ", error.message()));
}

// Answers a request that no handler sees. The connection ends: where the next
// request begins is not known.
template <typename Stream>
void Session<Stream>::Refuse(int status, const std::string& message) {
  is_reading_request_ = false;
  close_after_ = is_answering_ = true;
  has_begun_ = has_ended_ = is_streaming_ = false;
  if (request_id_.empty()) request_id_ = RequestId("");
  Send(++serial_, {.status = status, .body = RefusalBody(message)});
}

template <typename Stream>
Head Session<Stream>::HeadOf(const HttpResponse& response) const {
  Head head(static_cast<http::status>(response.status), 11);
  head.set(http::field::date, HttpDate());
  if (!response.content_type.empty()) {
    head.set(http::field::content_type, response.content_type);
  }
  head.set("x-request-id", request_id_);
  head.set("x-content-type-options", "nosniff");
  for (const auto& [name, value] : response.headers) head.insert(name, value);
  if (close_after_) {
    head.set(http::field::connection, "close");
  } else if (version_ == 10) {
    head.set(http::field::connection, "keep-alive");
  }
  return head;
}

template <typename Stream>
void Session<Stream>::Send(uint64_t serial, HttpResponse response) {
  if (serial != serial_ || !is_answering_ || has_begun_) return;
  has_begun_ = has_ended_ = true;
  status_ = response.status;
  Head head = HeadOf(response);
  if (HasBody(response.status)) {
    head.set(http::field::content_length, std::to_string(response.body.size()));
  }
  std::string bytes = TextOf(head);
  if (HasBody(response.status) && method_ != "HEAD") bytes += response.body;
  Push(std::move(bytes), nullptr);
}

template <typename Stream>
void Session<Stream>::Begin(uint64_t serial, HttpResponse response) {
  if (serial != serial_ || !is_answering_ || has_begun_ || is_closed_) return;
  has_begun_ = is_streaming_ = true;
  status_ = response.status;
  is_chunked_ = version_ == 11;
  if (!is_chunked_) close_after_ = true;
  Head head = HeadOf(response);
  if (is_chunked_) head.set(http::field::transfer_encoding, "chunked");
  Push(TextOf(head), nullptr);
  ArmKeepalive();
}

template <typename Stream>
void Session<Stream>::Write(uint64_t serial, std::string bytes,
                            std::function<void(bool)> written) {
  if (serial != serial_ || !is_streaming_ || has_ended_ || is_gone_) {
    if (written) written(false);
    return;
  }
  if (is_chunked_ && !bytes.empty()) {
    bytes =
        boost::beast::buffers_to_string(http::make_chunk(asio::buffer(bytes)));
  }
  Push(std::move(bytes), std::move(written));
}

template <typename Stream>
void Session<Stream>::End(uint64_t serial) {
  if (serial != serial_ || !is_streaming_ || has_ended_) return;
  has_ended_ = true;
  Push(is_chunked_ ? boost::beast::buffers_to_string(http::make_chunk_last())
                   : "",
       nullptr);
}

template <typename Stream>
void Session<Stream>::Abandon(uint64_t serial) {
  if (serial != serial_ || !is_answering_ || has_ended_) return;
  // Half a stream must not look like a whole one.
  if (has_begun_) return Close();
  Send(serial,
       {.status = 500, .body = RefusalBody("the request was given up inside")});
}

template <typename Stream>
void Session<Stream>::Push(std::string bytes,
                           std::function<void(bool)> written) {
  if (is_closed_) {
    if (written) written(false);
    return;
  }
  pieces_.push_back({std::move(bytes), std::move(written)});
  if (!is_writing_) WriteNext();
}

template <typename Stream>
void Session<Stream>::WriteNext() {
  is_writing_ = true;
  SetDeadline(absl::ToChronoNanoseconds(core_->limits.write_time));
  // Asked after every piece that the system took: whoever takes something has
  // time for more.
  const auto go_on = [this, taken = size_t{0}](const error_code& error,
                                               size_t total) mutable -> size_t {
    if (error) return 0;
    if (total > std::exchange(taken, total)) {
      SetDeadline(absl::ToChronoNanoseconds(core_->limits.write_time));
    }
    return kReadBytes;
  };
  asio::async_write(stream_, asio::buffer(pieces_.front().bytes), go_on,
                    Then(&Session::OnWritten));
}

template <typename Stream>
void Session<Stream>::OnWritten(const error_code& error, size_t) {
  is_writing_ = false;
  ++deadline_number_;
  deadline_.cancel();
  const auto written = std::move(pieces_.front().written);
  pieces_.pop_front();
  if (written) written(!error);
  if (error) return Close();
  if (is_closed_) return;
  if (!pieces_.empty()) return WriteNext();
  if (has_ended_) FinishAnswer();
}

template <typename Stream>
void Session<Stream>::ArmKeepalive() {
  keepalive_.expires_after(
      absl::ToChronoNanoseconds(core_->limits.keepalive_time));
  keepalive_.async_wait([self = this->shared_from_this(),
                         serial = serial_](const error_code& error) {
    if (error || serial != self->serial_ || self->has_ended_ ||
        self->is_closed_) {
      return;
    }
    if (self->pieces_.empty()) self->Write(serial, ": keepalive\n\n", nullptr);
    self->ArmKeepalive();
  });
}

template <typename Stream>
void Session<Stream>::FinishAnswer() {
  is_answering_ = is_streaming_ = false;
  on_gone_ = nullptr;
  keepalive_.cancel();
  spdlog::debug("http {} {} {} {:.1f} ms {}", method_, path_, status_,
                absl::ToDoubleMilliseconds(absl::Now() - began_), request_id_);
  request_id_.clear();
  if (is_gone_) return Close();
  if (close_after_) return Linger();
  AwaitRequest(absl::ToChronoNanoseconds(core_->limits.idle_time));
}

// Closing while the client still sends would take the answer from it.
template <typename Stream>
void Session<Stream>::Linger() {
  is_lingering_ = true;
  SetDeadline(kLinger);
  error_code ignored;
  SocketOf(stream_).shutdown(tcp::socket::shutdown_send, ignored);
  Discard();
}

template <typename Stream>
void Session<Stream>::Discard() {
  if (is_watching_) return;
  buffer_.consume(buffer_.size());
  stream_.async_read_some(buffer_.prepare(kReadBytes / 2),
                          Then(&Session::OnDiscarded));
}

template <typename Stream>
void Session<Stream>::OnDiscarded(const error_code& error, size_t) {
  if (error) return Close();
  Discard();
}

}  // namespace

std::string RefusalText(int status, const std::string& message) {
  const std::string body = RefusalBody(message);
  Head head(static_cast<http::status>(status), 11);
  head.set(http::field::content_type, "application/json");
  head.set(http::field::retry_after, "1");
  head.set(http::field::connection, "close");
  head.set(http::field::content_length, std::to_string(body.size()));
  return TextOf(head) + body;
}

std::shared_ptr<HttpConnection> MakeHttpConnection(
    std::shared_ptr<HttpCore> core, tcp::socket socket) {
  if (core->certificate != nullptr) {
    // OpenSSL keeps what a connection needs of it.
    const auto context = core->certificate->Context();
    return std::make_shared<Session<TlsStream>>(std::move(core),
                                                std::move(socket), *context);
  }
  return std::make_shared<Session<tcp::socket>>(std::move(core),
                                                std::move(socket));
}

}  // namespace genzo
