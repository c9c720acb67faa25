#include "gateway/mcp_batch.h"

#include <optional>
#include <vector>

#include "gateway/json_body.h"
#include "tests/gateway/door_test.h"

namespace genzo {
namespace {

using nlohmann::json;
using ::testing::HasSubstr;

using McpBatchTest = DoorTest;

constexpr char kWithBatches[] = "MCP-Protocol-Version: 2025-03-26\r\n";

json Message(const json& id, const std::string& method,
             const json& params = json::object()) {
  return {
      {"jsonrpc", "2.0"}, {"id", id}, {"method", method}, {"params", params}};
}

json PaintCall(const json& id) {
  return Message(id, "tools/call",
                 {{"name", "generate_image"},
                  {"arguments", {{"prompt", "a"}}},
                  {"_meta", {{"progressToken", "t"}}}});
}

json Note() {
  return {{"jsonrpc", "2.0"}, {"method", "notifications/initialized"}};
}

TEST_F(McpBatchTest, AnswersMessagesInTheirOrderWithoutTheNotifications) {
  const json batch = json::array(
      {Message(1, "ping"), Note(), PaintCall("b"), Message(3, "none")});
  // A client that says no version may be of the one that has batches.
  for (const std::string headers : {"", kWithBatches}) {
    const RawAnswer answer =
        Ask("POST", "/mcp", batch.dump(),
            headers + "Accept: application/json, text/event-stream\r\n");
    EXPECT_EQ(answer.status, 200);
    EXPECT_EQ(answer.Header("content-type"), "application/json")
        << "nothing streams in a batch";
    const json answers = json::parse(answer.body);
    ASSERT_EQ(answers.size(), 3u) << answers;
    EXPECT_EQ(
        answers[0],
        json({{"jsonrpc", "2.0"}, {"id", 1}, {"result", json::object()}}));
    EXPECT_EQ(answers[1]["id"], "b");
    EXPECT_EQ(answers[1]["result"]["content"][0]["data"], kDone);
    EXPECT_EQ(answers[2]["id"], 3);
    EXPECT_EQ(answers[2]["error"]["code"], -32601);
  }
  EXPECT_EQ(Ask("POST", "/mcp", json::array({Note(), Note()}).dump()).status,
            202);
}

TEST_F(McpBatchTest, LaterVersionsHaveNone) {
  for (const std::string version : {"2025-06-18", "2025-11-25"}) {
    const RawAnswer answer =
        Ask("POST", "/mcp", json::array({Message(1, "ping")}).dump(),
            absl::StrCat("MCP-Protocol-Version: ", version, "\r\n"));
    EXPECT_EQ(answer.status, 400);
    const json error = json::parse(answer.body)["error"];
    EXPECT_EQ(error["code"], -32600);
    EXPECT_EQ(error["message"],
              absl::StrCat("the body is a batch, which version ", version,
                           " does not have"));
  }
}

TEST_F(McpBatchTest, WhatIsNoMessageIsAnEntryWithAnError) {
  const json answers = json::parse(
      Ask("POST", "/mcp",
          json::array({5, Message(7, "initialize"), Message(8, "ping")}).dump())
          .body);
  ASSERT_EQ(answers.size(), 3u);
  EXPECT_EQ(answers[0]["error"]["code"], -32600);
  EXPECT_EQ(answers[0]["id"], nullptr);
  EXPECT_EQ(answers[1]["id"], 7);
  EXPECT_EQ(answers[1]["error"]["message"], "initialize is no part of a batch");
  EXPECT_TRUE(answers[2].contains("result"));
}

TEST_F(McpBatchTest, HasNoMoreMessagesThanAListHasEntries) {
  const auto ask = [&](size_t count) {
    json batch = json::array();
    while (batch.size() < count) batch.push_back(Message(1, "ping"));
    return Ask("POST", "/mcp", batch.dump());
  };
  EXPECT_EQ(json::parse(ask(kMaxListEntries).body).size(), kMaxListEntries);
  for (const size_t count : {size_t{0}, kMaxListEntries + 1}) {
    const RawAnswer refused = ask(count);
    EXPECT_EQ(refused.status, 400);
    EXPECT_EQ(json::parse(refused.body)["error"]["message"],
              absl::StrCat("the body is a batch of ", count,
                           " messages, which are not 1 to 64"));
  }
}

TEST_F(McpBatchTest, WhoLacksAKeyIsToldSo) {
  service_.Refuse(absl::UnauthenticatedError("no key"));
  const RawAnswer answer =
      Ask("POST", "/mcp", json::array({PaintCall(1)}).dump());
  EXPECT_EQ(answer.status, 401);
  EXPECT_EQ(answer.Header("www-authenticate"), "bearer");
  EXPECT_EQ(json::parse(answer.body).size(), 1u);
}

// What becomes of the one answer.
class WholeExchange : public HttpExchange {
 public:
  void Send(HttpResponse response) override { sent.push_back(response); }
  void Begin(HttpResponse) override {}
  void Write(std::string, std::function<void(bool)>) override {}
  void End() override {}
  void OnGone(std::function<void()> told) override { gone = std::move(told); }

  std::vector<HttpResponse> sent;
  std::function<void()> gone;
};

TEST_F(McpBatchTest, EveryMessageHearsThatTheClientHasGone) {
  const auto whole = std::make_shared<WholeExchange>();
  const auto batch = McpBatch::Begin(whole, 3);
  const auto first = batch->Part(0, 0), second = batch->Part(1, 1),
             third = batch->Part(2, 2);
  std::vector<int> told;
  first->OnGone([&] { told.push_back(1); });
  second->OnGone([&] { told.push_back(2); });
  first->Send({.body = "1"});  // is not to be told any more
  whole->gone();
  EXPECT_EQ(told, std::vector<int>{2});
  third->OnGone([&] { told.push_back(3); });
  EXPECT_EQ(told, (std::vector<int>{2, 3})) << "at once";
}

TEST_F(McpBatchTest, AMessageThatNobodyAnswersHoldsUpNone) {
  const auto whole = std::make_shared<WholeExchange>();
  {
    const auto batch = McpBatch::Begin(whole, 3);
    batch->Part(1, 2)->Send({.body = R"({"id":2})"});
    EXPECT_TRUE(whole->sent.empty());
    batch->Part(2, std::nullopt);  // a notification, dropped
    batch->Part(0, "a");           // dropped
  }
  ASSERT_EQ(whole->sent.size(), 1u);
  const json answers = json::parse(whole->sent[0].body);
  ASSERT_EQ(answers.size(), 2u) << "none for the notification";
  EXPECT_EQ(answers[0]["id"], "a");
  EXPECT_EQ(answers[0]["error"]["code"], -32603);
  EXPECT_EQ(answers[1]["id"], 2);
}

TEST_F(McpBatchTest, AnswersPastWhatABatchMayHoldAreErrors) {
  const auto whole = std::make_shared<WholeExchange>();
  const auto batch = McpBatch::Begin(whole, 3, /*most_bytes=*/20);
  batch->Part(0, 1)->Send({.body = R"({"id":1})"});
  batch->Part(1, "b")->Send({.body = R"({"id":"b","x":1})"});
  batch->Part(2, 3)->Send({.body = R"({"id":3})"});  // has room yet
  ASSERT_EQ(whole->sent.size(), 1u);
  const json answers = json::parse(whole->sent[0].body);
  EXPECT_EQ(answers[0], json({{"id", 1}}));
  EXPECT_EQ(answers[1]["id"], "b");
  EXPECT_EQ(answers[1]["error"]["code"], -32603);
  EXPECT_THAT(answers[1]["error"]["message"].get<std::string>(),
              HasSubstr("16 bytes"));
  EXPECT_EQ(answers[2], json({{"id", 3}}));
}

// What a client's leaving would have told may itself call the batch.
TEST_F(McpBatchTest, WhatIsNotToldAnyMoreEndsOutsideTheLock) {
  const auto whole = std::make_shared<WholeExchange>();
  const auto batch = McpBatch::Begin(whole, 2);
  const auto first = batch->Part(0, 1);
  std::shared_ptr<HttpExchange> second = batch->Part(1, 2);
  first->OnGone([held = std::move(second)] {});
  first->Send({.body = "1"});  // drops the second, which so is answered
  ASSERT_EQ(whole->sent.size(), 1u);
  EXPECT_THAT(whole->sent[0].body, HasSubstr("-32603"));
}

}  // namespace
}  // namespace genzo
