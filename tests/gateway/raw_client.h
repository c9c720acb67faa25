#ifndef GENZO_TESTS_GATEWAY_RAW_CLIENT_H_
#define GENZO_TESTS_GATEWAY_RAW_CLIENT_H_

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <cstdlib>
#include <string>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"

namespace genzo {

// An answer as it came.
struct RawAnswer {
  int status = 0;    // 0: none came
  std::string head;  // in lower case
  std::string body;  // without chunks

  std::string Header(const std::string& name) const {
    const size_t begin = head.find(absl::StrCat("\r\n", name, ": "));
    if (begin == std::string::npos) return "";
    const size_t value = begin + name.size() + 4;
    return head.substr(value, head.find("\r\n", value) - value);
  }
};

// A TCP connection to a port of this machine that sends bytes as they are, so
// that a test says exactly what comes over the line.
class RawClient {
 public:
  // Calls from another address of this machine if `from` is one.
  explicit RawClient(int port, const char* from = nullptr)
      : socket_(socket(AF_INET, SOCK_STREAM, 0)) {
    sockaddr_in address = {};
    if (from != nullptr) {
      sockaddr_in own = {};
      own.sin_family = AF_INET;
      own.sin_addr.s_addr = inet_addr(from);
      if (bind(socket_, reinterpret_cast<sockaddr*>(&own), sizeof(own)) != 0) {
        Close();
        return;
      }
    }
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    // A test that waits in vain fails instead of hanging.
    const timeval patience = {.tv_sec = 60, .tv_usec = 0};
    setsockopt(socket_, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
    if (connect(socket_, reinterpret_cast<sockaddr*>(&address),
                sizeof(address)) != 0) {
      Close();
    }
  }
  ~RawClient() { Close(); }

  void Close() {
    if (socket_ >= 0) close(socket_);
    socket_ = -1;
  }

  void Send(const std::string& bytes) {
    for (size_t sent = 0; sent < bytes.size();) {
      const ssize_t taken =
          send(socket_, bytes.data() + sent, bytes.size() - sent, MSG_NOSIGNAL);
      if (taken <= 0) return;
      sent += taken;
    }
  }

  // Reads until `text` has come. False if the connection ends before it.
  bool ReadUntil(const std::string& text) {
    while (!absl::StrContains(buffer_, text)) {
      if (!ReadMore()) return false;
    }
    return true;
  }
  // Drops what was read up to the end of `text`, and returns it.
  std::string TakeUntil(const std::string& text) {
    if (!ReadUntil(text)) return "";
    const size_t end = buffer_.find(text) + text.size();
    const std::string taken = buffer_.substr(0, end);
    buffer_.erase(0, end);
    return taken;
  }

  // Whether the other end closes without another byte.
  bool IsClosed() { return buffer_.empty() && !ReadMore(); }

  RawAnswer ReadAnswer(bool has_body = true) {
    RawAnswer answer;
    answer.head = absl::AsciiStrToLower(TakeUntil("\r\n\r\n"));
    if (answer.head.size() < 12) return answer;
    answer.status = std::atoi(answer.head.c_str() + 9);
    if (!has_body || answer.status == 204 || answer.status == 304) {
      return answer;
    }
    if (answer.Header("transfer-encoding") == "chunked") {
      while (true) {
        const size_t size =
            std::strtoul(TakeUntil("\r\n").c_str(), nullptr, 16);
        answer.body += TakeBytes(size);
        TakeUntil("\r\n");
        if (size == 0) return answer;
      }
    }
    answer.body = TakeBytes(std::atoi(answer.Header("content-length").c_str()));
    return answer;
  }

  // One request after another on the connection.
  RawAnswer Ask(const std::string& method, const std::string& target,
                const std::string& body = "", const std::string& headers = "") {
    std::string text = absl::StrCat(
        method, " ", target, " HTTP/1.1\r\nHost: localhost\r\n", headers);
    if (!body.empty()) {
      absl::StrAppend(&text, "Content-Length: ", body.size(), "\r\n");
      if (!absl::StrContains(headers, "Content-Type")) {
        absl::StrAppend(&text, "Content-Type: application/json\r\n");
      }
    }
    Send(absl::StrCat(text, "\r\n", body));
    return ReadAnswer(method != "HEAD");
  }

 private:
  std::string TakeBytes(size_t count) {
    while (buffer_.size() < count) {
      if (!ReadMore()) break;
    }
    const std::string taken = buffer_.substr(0, count);
    buffer_.erase(0, taken.size());
    return taken;
  }

  bool ReadMore() {
    char bytes[65536];
    const ssize_t count =
        socket_ < 0 ? 0 : recv(socket_, bytes, sizeof(bytes), 0);
    if (count <= 0) return false;
    buffer_.append(bytes, count);
    return true;
  }

  int socket_;
  std::string buffer_;
};

}  // namespace genzo

#endif  // GENZO_TESTS_GATEWAY_RAW_CLIENT_H_
