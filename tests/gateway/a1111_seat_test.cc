// What a caller of A1111's door sees and ends while it works.

#include <atomic>
#include <thread>

#include "absl/strings/str_cat.h"
#include "tests/gateway/door_test.h"

namespace genzo {
namespace {

using nlohmann::json;

class A1111SeatTest : public DoorTest {
 protected:
  static v1::JobEvent ProgressOf(uint32_t image, uint32_t step,
                                 uint32_t steps) {
    v1::JobEvent event;
    event.mutable_progress()->set_image_index(image);
    event.mutable_progress()->set_step(step);
    event.mutable_progress()->set_steps(steps);
    return event;
  }

  // Sends `body` without waiting for an answer.
  void Post(RawClient& client, const std::string& name, const json& body) {
    const std::string text = body.dump();
    client.Send(absl::StrCat("POST /sdapi/v1/", name,
                             " HTTP/1.1\r\nHost: localhost\r\nContent-Type: "
                             "application/json\r\nContent-Length: ",
                             text.size(), "\r\n\r\n", text));
  }

  // The caller's progress, once there is any.
  json AwaitProgress() {
    json progress;
    do {
      progress = AskJson("GET", "/sdapi/v1/progress");
    } while (progress["progress"] == 0.0);
    return progress;
  }
};

TEST_F(A1111SeatTest, ProgressCountsAllThatAreDrawn) {
  service_.Do([&](grpc::ServerContext& context, const v1::GenerateRequest&,
                  FakeService::Writer& writer) {
    writer.Write(ProgressOf(0, 4, 4));
    while (!context.IsCancelled()) std::this_thread::yield();
    return grpc::Status::CANCELLED;
  });
  RawClient painter(port());
  Post(painter, "txt2img", {{"best_of", 4}});
  EXPECT_EQ(AwaitProgress()["progress"], 0.25) << "one of four is done";
  Ask("POST", "/sdapi/v1/interrupt");
  painter.ReadAnswer();
}

TEST_F(A1111SeatTest, ABatchThatIsEnlargedIsSeenAndEnded) {
  std::atomic<int> calls{0};
  service_.DoUpscale(
      [&](grpc::ServerContext& context, FakeService::Writer& writer) {
        if (++calls == 1) {
          FakeService::Paint({}, writer);
          return grpc::Status::OK;
        }
        writer.Write(ProgressOf(0, 4, 16));
        while (!context.IsCancelled()) std::this_thread::yield();
        return grpc::Status::CANCELLED;
      });
  RawClient enlarger(port());
  Post(enlarger, "extra-batch-images",
       {{"imageList", {{{"data", "aGk="}}, {{"data", "aGk="}}}},
        {"upscaler_1", "realesrgan-x4"}});
  json progress;
  do {
    progress = AwaitProgress();
  } while (progress["progress"] == 0.5);  // the first is done
  EXPECT_EQ(progress["progress"], 0.625);
  EXPECT_EQ(progress["state"]["sampling_step"], 4);
  EXPECT_EQ(progress["state"]["sampling_steps"], 16);
  Ask("POST", "/sdapi/v1/interrupt");
  const RawAnswer ended = enlarger.ReadAnswer();
  EXPECT_EQ(ended.status, 200);
  EXPECT_EQ(json::parse(ended.body)["images"], json::array({kDone}))
      << "what was there";
}

TEST_F(A1111SeatTest, APictureWhoseEnlargingWasEndedIsAsItCame) {
  service_.DoUpscale(
      [&](grpc::ServerContext& context, FakeService::Writer& writer) {
        writer.Write(ProgressOf(0, 1, 4));
        while (!context.IsCancelled()) std::this_thread::yield();
        return grpc::Status::CANCELLED;
      });
  RawClient enlarger(port());
  Post(enlarger, "extra-single-image",
       {{"image", "aGk="}, {"upscaler_1", "realesrgan-x4"}});
  EXPECT_EQ(AwaitProgress()["progress"], 0.25);
  Ask("POST", "/sdapi/v1/interrupt");
  const RawAnswer ended = enlarger.ReadAnswer();
  EXPECT_EQ(ended.status, 200);
  EXPECT_EQ(json::parse(ended.body)["image"], "aGk=");
}

}  // namespace
}  // namespace genzo
