#include "gateway/steering_fields.h"

#include "gateway/door_error.h"
#include "gateway/mcp_arguments.h"
#include "tests/gateway/body_readers.h"
#include "tests/testing/matchers.h"

namespace genzo {
namespace {

using nlohmann::json;

const json kBody = {
    {"prompt", "a"}, {"start_latents", "kept"}, {"strength", 0.5}};

TEST(SteeringFieldsTest, KeptLatentsAreStartedFromAtAStrength) {
  const auto openai = ReadGeneration(kBody, Names());
  ASSERT_THAT(openai, IsOk());
  EXPECT_EQ(openai->request.image_to_image().strength(), 0.5);
  const auto tool = ReadMcpPaint(kBody, /*is_edit=*/false, Names());
  ASSERT_THAT(tool, IsOk());
  EXPECT_EQ(tool->image_to_image().strength(), 0.5);
  EXPECT_EQ(tool->start_latents(), "kept");
}

TEST(SteeringFieldsTest, WhatStartsFromNothingHasNoStrength) {
  json body = kBody;
  for (const json& none : {json(nullptr), json("")}) {
    body["start_latents"] = none;
    EXPECT_THAT(ReadGeneration(body, Names()),
                StatusIs(absl::StatusCode::kInvalidArgument,
                         "\"strength\" is not a field of this"));
  }
}

// Of a picture it is the door's to read, once.
TEST(SteeringFieldsTest, APicturesStrengthIsReadByItsDoor) {
  json body = kBody;
  body.update({{"image", "aGk="}, {"strength", 2}});
  const absl::Status status =
      ReadMcpPaint(body, /*is_edit=*/true, Names()).status();
  EXPECT_EQ(ViolationsIn(status).size(), 1u) << status;
}

TEST(SteeringFieldsTest, ItsSchemaIsTold) {
  EXPECT_TRUE(SteeringSchemas().contains("strength"));
}

}  // namespace
}  // namespace genzo
