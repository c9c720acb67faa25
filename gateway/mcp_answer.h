#ifndef GENZO_GATEWAY_MCP_ANSWER_H_
#define GENZO_GATEWAY_MCP_ANSWER_H_

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "gateway/http.h"
#include "genzo/v1/image_generation.pb.h"
#include "nlohmann/json.hpp"

namespace genzo {

// What JSON-RPC answers `id` with.
nlohmann::json RpcResult(const nlohmann::json& id,
                         const nlohmann::json& result);
// Or with, where that went wrong.
nlohmann::json RpcError(const nlohmann::json& id, int code,
                        const std::string& message);
inline constexpr int kRpcInternalError = -32603;

// Where the answer to one call of a tool goes: one JSON message, or a stream
// with progress before it. Its members are called one at a time.
class McpAnswer {
 public:
  // `progress_token` is null if no progress is wanted.
  McpAnswer(nlohmann::json id, nlohmann::json progress_token,
            HttpExchangeRef exchange)
      : id_(std::move(id)),
        token_(std::move(progress_token)),
        exchange_(std::move(exchange)) {}

  // What a job's progress counts; "step" unless told.
  void CountIn(std::string unit) { unit_ = std::move(unit); }
  // `event` of the job that the call began.
  void Progress(const v1::JobEvent& event);
  // The end, by `result` or a text that is one.
  void Finish(const nlohmann::json& result);
  void FinishWithText(const std::string& text);
  // What went wrong is for the model to read, but for keys, which are the
  // client's.
  void Fail(const absl::Status& status);

  HttpExchange& exchange() { return *exchange_; }

 private:
  void WriteProgress(uint64_t done, const std::string& message);
  void Write(const nlohmann::json& message);

  const nlohmann::json id_;
  const nlohmann::json token_;
  const HttpExchangeRef exchange_;
  bool has_begun_ = false;
  bool is_named_ = false;  // the job has been told
  std::string unit_ = "step";
  uint64_t images_ = 1;
  uint64_t total_ = 0;  // over all images
  uint64_t done_ = 0;
  std::map<uint32_t, uint32_t> steps_;
};

using McpAnswerRef = std::shared_ptr<McpAnswer>;

}  // namespace genzo

#endif  // GENZO_GATEWAY_MCP_ANSWER_H_
