#ifndef GENZO_TESTS_GATEWAY_DOOR_TEST_H_
#define GENZO_TESTS_GATEWAY_DOOR_TEST_H_

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "gateway/door.h"
#include "gtest/gtest.h"
#include "tests/gateway/fake_service.h"
#include "tests/gateway/raw_client.h"
#include "tests/testing/matchers.h"

namespace genzo {

// What the fake service paints, "done", as JSON carries it, and its job.
inline constexpr char kDone[] = "ZG9uZQ==";
inline constexpr char kJob[] = "0123456789abcdef0123456789abcdef";

// A door before a fake service.
class DoorTest : public ::testing::Test {
 protected:
  DoorTest() : door_(Open()) {}

  std::unique_ptr<HttpDoor> Open() {
    HttpConfig config;
    config.listen = "127.0.0.1:0";
    config.model_aliases = {{"gpt-image-1", "emaki"}};
    auto door = HttpDoor::Start(config, service_.Channel(), Clock::Real(),
                                {.metrics = &metrics_});
    EXPECT_THAT(door, IsOk());
    return *std::move(door);
  }

  int port() const { return std::stoi(door_->url().substr(17)); }

  RawAnswer Ask(const std::string& method, const std::string& path,
                const std::string& body = "", const std::string& headers = "") {
    RawClient client(port());
    return client.Ask(method, path, body, headers);
  }
  nlohmann::json AskJson(const std::string& method, const std::string& path,
                         const nlohmann::json& body = nlohmann::json(),
                         const std::string& headers = "") {
    const RawAnswer answer =
        Ask(method, path, body.is_null() ? "" : body.dump(), headers);
    const nlohmann::json parsed =
        nlohmann::json::parse(answer.body, nullptr, false);
    EXPECT_FALSE(parsed.is_discarded()) << answer.body;
    return parsed;
  }
  nlohmann::json Generate(const nlohmann::json& body,
                          const std::string& headers = "") {
    return AskJson("POST", "/v1/images/generations", body, headers);
  }

  Metrics metrics_;
  FakeService service_;
  std::unique_ptr<HttpDoor> door_;
};

struct Event {
  std::string name;
  std::string id;
  nlohmann::json data;
};

// The events in the body of a stream.
inline std::vector<Event> EventsIn(const std::string& body) {
  std::vector<Event> events;
  for (const absl::string_view text :
       absl::StrSplit(body, "\n\n", absl::SkipEmpty())) {
    Event event;
    for (const absl::string_view line : absl::StrSplit(text, '\n')) {
      const std::pair<std::string, std::string> field =
          absl::StrSplit(line, absl::MaxSplits(": ", 1));
      if (field.first == "event") event.name = field.second;
      if (field.first == "id") event.id = field.second;
      if (field.first == "data")
        event.data = nlohmann::json::parse(field.second);
    }
    events.push_back(std::move(event));
  }
  return events;
}

inline std::vector<std::string> NamesOf(const std::vector<Event>& events) {
  std::vector<std::string> names;
  for (const Event& event : events) names.push_back(event.name);
  return names;
}

// A multipart form of these parts.
inline std::string FormOf(
    const std::vector<std::pair<std::string, std::string>>& parts) {
  std::string body;
  for (const auto& [name, content] : parts) {
    absl::StrAppend(&body, "--b\r\nContent-Disposition: form-data; name=\"",
                    name, "\"\r\n\r\n", content, "\r\n");
  }
  return absl::StrCat(body, "--b--\r\n");
}

}  // namespace genzo

#endif  // GENZO_TESTS_GATEWAY_DOOR_TEST_H_
