// How a job's events reach those who asked for it: the whole server with a tiny
// model.

#include "tests/testing/matchers.h"
#include "tests/testing/request_ids.h"
#include "tests/testing/server.h"

namespace genzo {
namespace {

using v1::GenerateRequest;
using v1::JobEvent;

GenerateRequest Fox(uint32_t steps) {
  GenerateRequest request;
  request.set_prompt("a fox");
  request.set_steps(steps);
  request.set_seed(1);
  return request;
}

bool IsProgress(const JobEvent& event) { return event.has_progress(); }

std::string ImageIn(const std::vector<JobEvent>& events) {
  for (const JobEvent& event : events) {
    if (event.has_image()) return event.image().picture().data();
  }
  return "";
}

TEST(DeliveryTest, TellsTheRequestAsResolved) {
  const Server server(TinyConfig());
  GenerateRequest request = Fox(2);
  request.clear_seed();
  Call call(server, request);
  v1::GenerateRequest resolved;
  for (const JobEvent& event : call.Rest()) {
    if (event.has_started()) resolved = event.started().resolved();
  }
  EXPECT_EQ(resolved.model(), "tiny");
  EXPECT_EQ(resolved.sampler(), v1::SAMPLER_PNDM);
  EXPECT_TRUE(resolved.has_guidance_scale());
  EXPECT_TRUE(resolved.has_seed());
}

TEST(DeliveryTest, WhatIsResolvedMakesThePictureAgain) {
  const Server server(TinyConfig());
  GenerateRequest request = Fox(2);
  request.clear_seed();
  Call first(server, request);
  const auto events = first.Rest();
  for (const JobEvent& event : events) {
    if (!event.has_started()) continue;
    Call again(server, event.started().resolved());
    EXPECT_EQ(ImageIn(again.Rest()), ImageIn(events));
  }
}

TEST(DeliveryTest, ARequestSentAgainIsNotPaintedAgain) {
  Server server(TinyConfig());
  GenerateRequest request = Fox(2);
  request.clear_seed();
  request.set_request_id(kRequestId);
  Call first(server, request);
  const auto events = first.Rest();
  const double steps = server.metrics().ForModel("tiny").denoise_steps.Value();
  Call second(server, request);
  const auto again = second.Rest();
  ASSERT_TRUE(Succeeded(again.back()));
  EXPECT_EQ(again[0].job_id(), events[0].job_id());
  EXPECT_EQ(ImageIn(again), ImageIn(events));
  EXPECT_EQ(server.metrics().ForModel("tiny").denoise_steps.Value(), steps);
}

TEST(DeliveryTest, AnotherRequestWithTheIdIsRefused) {
  const Server server(TinyConfig());
  GenerateRequest request = Fox(2);
  request.set_request_id(kRequestId);
  Call(server, request).Rest();
  request.set_prompt("a cat");
  Call other(server, request);
  other.Rest();
  EXPECT_EQ(other.status().error_code(), grpc::StatusCode::ALREADY_EXISTS);
  EXPECT_EQ(other.reason(), "REQUEST_ID_IN_USE");
}

TEST(DeliveryTest, AJobThatGoesOnOutlivesItsReader) {
  const Server server(TinyConfig());
  GenerateRequest request = Fox(60);
  request.set_request_id(kRequestId);
  request.set_on_disconnect(v1::ON_DISCONNECT_CONTINUE);
  std::string job_id;
  {
    Call left(server, request);
    JobEvent event;
    ASSERT_TRUE(left.Read(event));
    job_id = event.job_id();
    ASSERT_TRUE(left.ReadUntil(IsProgress));
    left.Cancel();
    left.Rest();
  }
  Call back(server, request);
  const auto events = back.Rest();
  ASSERT_TRUE(Succeeded(events.back()));
  EXPECT_EQ(events.back().job_id(), job_id);
  EXPECT_FALSE(ImageIn(events).empty());
}

TEST(DeliveryTest, ATimeLimitIsTheJobs) {
  Server server(TinyConfig());
  // Enough by what is known when it comes.
  server.PretendToBeFast("tiny");
  GenerateRequest request = Fox(150);
  request.set_image_count(8);
  request.mutable_time_limit()->set_nanos(50'000'000);
  Call call(server, request);
  const auto events = call.Rest();
  EXPECT_EQ(events.back().ended().state(), v1::JOB_STATE_EXPIRED);
  EXPECT_EQ(call.status().error_code(), grpc::StatusCode::DEADLINE_EXCEEDED);
  EXPECT_EQ(call.reason(), "DEADLINE_EXCEEDED");
}

// A window that does not grow, and pictures larger than it.
grpc::ChannelArguments SmallWindow() {
  grpc::ChannelArguments arguments;
  arguments.SetInt(GRPC_ARG_HTTP2_BDP_PROBE, 0);
  arguments.SetInt(GRPC_ARG_HTTP2_STREAM_LOOKAHEAD_BYTES, 65'535);
  return arguments;
}

TEST(DeliveryTest, WhoDoesNotReadHoldsNobodyUpAndLosesNoPicture) {
  Server server(TinyConfig());
  GenerateRequest large = Fox(4);
  large.set_width(256);
  large.set_height(256);
  large.set_image_count(2);
  large.mutable_preview()->set_every(1);
  large.mutable_preview()->set_decoder(v1::PREVIEW_DECODER_FULL);
  const auto stub = v1::ImageGeneration::NewStub(grpc::CreateCustomChannel(
      server.address(), grpc::InsecureChannelCredentials(), SmallWindow()));
  grpc::ClientContext context;
  const auto silent = stub->Generate(&context, large);
  Call quick(server, Fox(2));
  EXPECT_TRUE(Succeeded(quick.Rest().back()));
  const auto& ended = server.metrics().ForModel("tiny").jobs_succeeded;
  Call more(server, Fox(150));
  while (ended.Value() < 2) ASSERT_TRUE(more.ReadUntil(IsProgress));
  EXPECT_GT(server.metrics().undelivered_bytes().Value(), 100'000)
      << "nobody took the pictures";
  std::vector<JobEvent> events;
  JobEvent event;
  while (silent->Read(&event)) events.push_back(event);
  EXPECT_TRUE(silent->Finish().ok());
  ASSERT_TRUE(Succeeded(events.back()));
  int images = 0;
  for (const JobEvent& read : events) images += read.has_image() ? 1 : 0;
  EXPECT_EQ(images, 2);
  EXPECT_GT(ImageIn(events).size(), 65'536u);
  EXPECT_GT(server.metrics().previews_dropped().Value(), 0);
}

TEST(DeliveryTest, RefusesMoreStreamsThanConfigured) {
  Config config = TinyConfig();
  config.delivery.max_streams = 1;
  const Server server(config);
  Call first(server, Fox(150));
  ASSERT_TRUE(first.ReadUntil(IsProgress));
  Call second(server, Fox(2));
  second.Rest();
  EXPECT_EQ(second.status().error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED);
  EXPECT_EQ(second.reason(), "TOO_MANY_STREAMS");
  EXPECT_GT(second.retry_after(), absl::ZeroDuration());
}

TEST(DeliveryTest, AServerThatStopsSaysUnavailable) {
  Server server(TinyConfig());
  GenerateRequest request = Fox(150);
  request.set_image_count(8);
  Call call(server, request);
  ASSERT_TRUE(call.ReadUntil(IsProgress));
  server.queue().CancelAll();
  const auto events = call.Rest();
  EXPECT_EQ(events.back().ended().state(), v1::JOB_STATE_FAILED);
  EXPECT_EQ(call.status().error_code(), grpc::StatusCode::UNAVAILABLE);
  EXPECT_EQ(call.reason(), "DRAINING");
}

TEST(DeliveryTest, RefusesFieldsThatItDoesNotKnow) {
  const Server server(TinyConfig());
  GenerateRequest request = Fox(2);
  request.GetReflection()->MutableUnknownFields(&request)->AddVarint(99, 1);
  Call call(server, request);
  call.Rest();
  EXPECT_EQ(call.status().error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_EQ(call.status().error_message(),
            "field 99 of genzo.v1.GenerateRequest is not known to this server");
}

TEST(DeliveryTest, SaysWhatIsWrongWithAMalformedRequest) {
  const Server server(TinyConfig());
  Call call(server, [] {
    GenerateRequest request;
    request.set_prompt("bad\xff");
    return request;
  }());
  call.Rest();
  EXPECT_EQ(call.status().error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_EQ(call.status().error_message(), "prompt is not valid UTF-8");
  EXPECT_EQ(call.reason(), "MALFORMED_REQUEST");
}

TEST(DeliveryTest, ModelsAreLoadedByAdministratorsOnly) {
  Config config = TinyConfig();
  config.admin_api = "off";
  const Server server(config);
  const auto admin = v1::ModelAdmin::NewStub(server.Channel());
  grpc::ClientContext context;
  v1::UnloadModelRequest request;
  request.set_id("tiny");
  v1::Model model;
  EXPECT_EQ(admin->UnloadModel(&context, request, &model).error_code(),
            grpc::StatusCode::PERMISSION_DENIED);
}

}  // namespace
}  // namespace genzo
