#include "server/resolve/request_parser.h"

#include "base/errors.h"
#include "genzo/v1/image_generation.pb.h"
#include "tests/testing/matchers.h"

namespace genzo {
namespace {

absl::Status Parse(const std::string& bytes) {
  v1::GenerateRequest request;
  return ParseRequest(bytes, request);
}

// A length-delimited field.
std::string Field(int number, const std::string& bytes) {
  google::protobuf::UnknownFieldSet fields;
  fields.AddLengthDelimited(number, bytes);
  std::string text;
  fields.SerializeToString(&text);
  return text;
}

TEST(RequestParserTest, ReadsAMessage) {
  v1::GenerateRequest request;
  EXPECT_THAT(ParseRequest(Field(3, "a fox"), request), IsOk());
  EXPECT_EQ(request.prompt(), "a fox");
  EXPECT_THAT(Parse(""), IsOk());
}

TEST(RequestParserTest, NamesUnknownFieldsByNumberAndMessage) {
  EXPECT_THAT(Parse(Field(99, "mask")),
              StatusIs(kInvalid,
                       "field 99 of genzo.v1.GenerateRequest is not known to "
                       "this server"));
  EXPECT_THAT(Parse(Field(16, Field(70, "x"))),
              StatusIs(kInvalid,
                       "field 70 of genzo.v1.PreviewPlan (preview) is not "
                       "known to this server"));
}

TEST(RequestParserTest, AFieldOfAnotherTypeIsUnknownToo) {
  google::protobuf::UnknownFieldSet fields;
  fields.AddVarint(3, 1);  // prompt is a text
  std::string bytes;
  fields.SerializeToString(&bytes);
  EXPECT_THAT(Parse(bytes), StatusIs(kInvalid, "field 3 of"));
}

TEST(RequestParserTest, TellsDamageFromTextThatIsNotUtf8) {
  const absl::Status cut = Parse(Field(3, "a fox").substr(0, 4));
  EXPECT_THAT(cut, StatusIs(kInvalid, "not a genzo.v1.GenerateRequest"));
  EXPECT_EQ(ErrorReason(cut), "MALFORMED_REQUEST");
  EXPECT_THAT(Parse("\xff\xff\xff\xff"), StatusIs(kInvalid, "cut short"));
  EXPECT_THAT(Parse(Field(3, "bad\xff")),
              StatusIs(kInvalid, "prompt is not valid UTF-8"));
  EXPECT_THAT(Parse(Field(4, "\xc3\x28")),
              StatusIs(kInvalid, "negative_prompt is not valid UTF-8"));
}

}  // namespace
}  // namespace genzo
