#include "gateway/mcp_batch.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "gateway/door_error.h"
#include "gateway/mcp_answer.h"

namespace genzo {
namespace {

// What stands for an answer that is not there; nothing for a notification.
HttpResponse Missing(const std::optional<nlohmann::json>& id,
                     const std::string& why) {
  if (!id.has_value()) return {.status = 202, .content_type = ""};
  return {.status = 500, .body = Dump(RpcError(*id, kRpcInternalError, why))};
}

// All of them as one. Each is freed once it is in it, for they are large.
HttpResponse Joined(std::vector<std::optional<HttpResponse>> answers) {
  HttpResponse whole;
  for (auto& answer : answers) {
    if (answer->status == 401) {
      whole.status = answer->status;
      whole.headers = answer->headers;
    }
    if (!answer->body.empty()) {
      absl::StrAppend(&whole.body, whole.body.empty() ? "[" : ",",
                      answer->body);
    }
    answer.reset();
  }
  if (whole.body.empty()) return {.status = 202, .content_type = ""};
  whole.body += ']';
  return whole;
}

}  // namespace

class McpBatch::PartExchange : public HttpExchange {
 public:
  PartExchange(std::shared_ptr<McpBatch> batch, size_t index,
               std::optional<nlohmann::json> id)
      : batch_(std::move(batch)), index_(index), id_(std::move(id)) {}
  ~PartExchange() override {
    batch_->Take(index_, Missing(id_, "the message was not answered"), id_);
  }

  void Send(HttpResponse response) override {
    batch_->Take(index_, std::move(response), id_);
  }
  void Begin(HttpResponse /*head*/) override {}
  void Write(std::string /*bytes*/,
             std::function<void(bool)> written) override {
    if (written) written(false);
  }
  void End() override {}
  void OnGone(std::function<void()> gone) override {
    batch_->OnGone(index_, std::move(gone));
  }

 private:
  const std::shared_ptr<McpBatch> batch_;
  const size_t index_;
  const std::optional<nlohmann::json> id_;
};

McpBatch::McpBatch(HttpExchangeRef exchange, size_t count, size_t most_bytes)
    : exchange_(std::move(exchange)),
      most_bytes_(most_bytes),
      answers_(count),
      gone_(count),
      missing_(count) {}

std::shared_ptr<McpBatch> McpBatch::Begin(HttpExchangeRef exchange,
                                          size_t count, size_t most_bytes) {
  const std::shared_ptr<McpBatch> batch(
      new McpBatch(std::move(exchange), count, most_bytes));
  batch->exchange_->OnGone([weak = batch->weak_from_this()] {
    if (const auto batch = weak.lock()) batch->Gone();
  });
  return batch;
}

HttpExchangeRef McpBatch::Part(size_t index, std::optional<nlohmann::json> id) {
  return std::make_shared<PartExchange>(shared_from_this(), index,
                                        std::move(id));
}

void McpBatch::Take(size_t index, HttpResponse response,
                    const std::optional<nlohmann::json>& id) {
  // Both end outside the lock, for what they hold may call back.
  std::function<void()> gone;
  std::vector<std::optional<HttpResponse>> answers;
  {
    const absl::MutexLock lock(&mutex_);
    if (missing_ == 0 || answers_[index].has_value()) return;
    if (response.body.size() > most_bytes_ - bytes_) {
      response = Missing(
          id, absl::StrCat("the answer is ", response.body.size(),
                           " bytes, for which a batch's answers, ", most_bytes_,
                           " at most, have no room: send the message alone"));
    } else {
      bytes_ += response.body.size();
    }
    answers_[index] = std::move(response);
    gone.swap(gone_[index]);
    if (--missing_ > 0) return;
    answers.swap(answers_);
  }
  exchange_->Send(Joined(std::move(answers)));
}

void McpBatch::OnGone(size_t index, std::function<void()> gone) {
  {
    const absl::MutexLock lock(&mutex_);
    if (missing_ == 0 || answers_[index].has_value()) return;
    if (!is_gone_) {
      gone.swap(gone_[index]);  // an earlier one ends outside the lock
      return;
    }
  }
  gone();
}

void McpBatch::Gone() {
  std::vector<std::function<void()>> told;
  {
    const absl::MutexLock lock(&mutex_);
    is_gone_ = true;
    told.swap(gone_);
    gone_.resize(told.size());
  }
  for (const auto& gone : told) {
    if (gone) gone();
  }
}

}  // namespace genzo
