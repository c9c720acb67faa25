#include "gateway/http_session.h"

namespace genzo {
namespace {

class Exchange : public HttpExchange {
 public:
  Exchange(std::weak_ptr<HttpSession> session, uint64_t serial)
      : session_(std::move(session)), serial_(serial) {}
  ~Exchange() override {
    Post([serial = serial_](HttpSession& s) { s.Abandon(serial); });
  }

  void Send(HttpResponse response) override {
    Post([serial = serial_, response = std::move(response)](
             HttpSession& s) mutable { s.Send(serial, std::move(response)); });
  }
  void Begin(HttpResponse head) override {
    Post([serial = serial_, head = std::move(head)](HttpSession& s) mutable {
      s.Begin(serial, std::move(head));
    });
  }
  void Write(std::string bytes, std::function<void(bool)> written) override {
    const auto session = session_.lock();
    if (session == nullptr) {
      if (written) written(false);
      return;
    }
    session->Post([serial = serial_, bytes = std::move(bytes),
                   written = std::move(written)](HttpSession& s) mutable {
      s.Write(serial, std::move(bytes), std::move(written));
    });
  }
  void End() override {
    Post([serial = serial_](HttpSession& s) { s.End(serial); });
  }
  void OnGone(std::function<void()> gone) override {
    const auto session = session_.lock();
    if (session == nullptr) return gone();
    session->Post(
        [serial = serial_, gone = std::move(gone)](HttpSession& s) mutable {
          s.OnGone(serial, std::move(gone));
        });
  }

 private:
  template <typename Work>
  void Post(Work work) {
    if (const auto session = session_.lock()) session->Post(std::move(work));
  }

  const std::weak_ptr<HttpSession> session_;
  const uint64_t serial_;
};

}  // namespace

HttpExchangeRef MakeHttpExchange(std::weak_ptr<HttpSession> session,
                                 uint64_t serial) {
  return std::make_shared<Exchange>(std::move(session), serial);
}

}  // namespace genzo
