#ifndef GENZO_GATEWAY_HTTP_SESSION_H_
#define GENZO_GATEWAY_HTTP_SESSION_H_

#include <atomic>
#include <chrono>
#include <deque>
#include <map>
#include <optional>

#include "absl/time/time.h"
#include "boost/asio/post.hpp"
#include "boost/asio/steady_timer.hpp"
#include "boost/beast/core/flat_buffer.hpp"
#include "boost/beast/http/parser.hpp"
#include "boost/beast/http/string_body.hpp"
#include "gateway/http_core.h"
#include "gateway/http_head.h"
#include "gateway/http_stream.h"

namespace genzo {

// A connection's life: handshake, then request after request. Everything but
// what is said to be thread-safe runs on the stream's strand. It lives as long
// as something is under way on it.
//
// http_session.cc begins, hands over and ends; http_reading.cc reads requests;
// http_answering.cc writes answers and streams.
class HttpSession : public HttpConnection,
                    public std::enable_shared_from_this<HttpSession> {
 public:
  using SteadyTime = std::chrono::steady_clock::time_point;

  HttpSession(std::shared_ptr<HttpCore> core, HttpStream::Socket socket,
              boost::asio::ssl::context* context);

  void Start() override;          // thread-safe
  void CloseWhenIdle() override;  // thread-safe
  void CloseNow() override;       // thread-safe
  std::chrono::nanoseconds SlowFor(SteadyTime now) const override;  // as well

  // Runs `work` on the strand, also after the connection's end: whoever waits
  // for a client is told that it has gone. Thread-safe.
  template <typename Work>
  void Post(Work work) {
    boost::asio::post(stream_.get_executor(),
                      [self = shared_from_this(),
                       work = std::move(work)]() mutable { work(*self); });
  }

  // The answer's side of things, as HttpExchange says; `serial` tells the
  // request, so that a late call of one before does no harm.
  void Send(uint64_t serial, HttpResponse response);
  void Begin(uint64_t serial, HttpResponse response);
  void Write(uint64_t serial, std::string bytes,
             std::function<void(bool)> written);
  void End(uint64_t serial);
  void OnGone(uint64_t serial, std::function<void()> gone);
  // Nobody will answer any more.
  void Abandon(uint64_t serial);

 private:
  using Error = boost::system::error_code;
  struct Piece {
    std::string bytes;
    std::function<void(bool)> written;
  };

  // A handler that keeps the session alive.
  template <typename Member>
  auto Then(Member member) {
    return [self = shared_from_this(), member](const Error& error,
                                               size_t bytes = 0) {
      ((*self).*member)(error, bytes);
    };
  }

  // --- http_session.cc
  void Handshake();
  void Dispatch();
  void Gone();
  // Closing while the client still sends would take the answer from it.
  void Linger();
  void Discard();
  void OnDiscarded(const Error& error, size_t bytes);
  void Close();
  // Ends the connection after `time`, unless another deadline is set or none.
  void SetDeadline(std::chrono::nanoseconds time);
  void DropDeadline();

  // --- http_reading.cc
  // From now on the client is to send something that has begun.
  void BeginReading() { reading_since_ = std::chrono::steady_clock::now(); }
  void AwaitRequest(absl::Duration patience);
  void OnFirstBytes(const Error& error, size_t bytes);
  void ReadHeader();
  void OnHeader(const Error& error, size_t bytes);
  void ReadBody();
  void OnBody(const Error& error, size_t bytes);
  // Counts the bytes of a body; false, and they are not counted, if all bodies
  // together would have too many.
  bool ChargeBody(int64_t bytes);
  HttpRequest TakeRequest();
  // Reads while the answer is being made, to notice a client that goes away.
  void Watch();
  void OnWatched(const Error& error, size_t bytes);

  // --- http_answering.cc
  // Answers a request that no handler sees. The connection ends: where the next
  // request begins is not known.
  void Refuse(const HttpFault& fault);
  // What it is told, where its page's scripts may read it too.
  HttpResponse RefusalOf(const HttpFault& fault) const;
  HttpHeadOptions HeadOptions() const;
  void Push(std::string bytes, std::function<void(bool)> written);
  void WriteNext();
  void OnWritten(const Error& error, size_t bytes);
  void ArmKeepalive();
  void FinishAnswer();

  const std::shared_ptr<HttpCore> core_;
  HttpStream stream_;
  boost::beast::flat_buffer buffer_;
  std::optional<
      boost::beast::http::request_parser<boost::beast::http::string_body>>
      parser_;
  boost::asio::steady_timer deadline_;
  boost::asio::steady_timer keepalive_;
  uint64_t deadline_number_ = 0;  // of the one that counts
  uint64_t serial_ = 0;           // of the request being answered
  std::string request_id_;
  std::string method_;
  std::string target_;                               // as it came
  std::string origin_;                               // the page's; or empty
  std::multimap<std::string, std::string> headers_;  // names in lower case
  absl::Time began_;
  // Read by whoever looks for room. The epoch: nothing is being read.
  std::atomic<SteadyTime> reading_since_{SteadyTime()};
  std::atomic<int64_t> charged_{0};  // of core_->body_bytes
  int version_ = 11;
  int status_ = 0;  // of the answer
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

// The handle of one request that handlers hold. The session may be gone.
HttpExchangeRef MakeHttpExchange(std::weak_ptr<HttpSession> session,
                                 uint64_t serial);

}  // namespace genzo

#endif  // GENZO_GATEWAY_HTTP_SESSION_H_
