// Edges of the doors' parts: forms, targets, links, seats, errors, routes.

#include <filesystem>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "gateway/a1111_seats.h"
#include "gateway/door_error.h"
#include "gateway/field_names.h"
#include "gateway/multipart.h"
#include "gateway/page.h"
#include "gateway/painting.h"
#include "gateway/picture_store.h"
#include "gateway/proto_json.h"
#include "gateway/proto_schemas.h"
#include "gateway/router.h"
#include "gateway/target.h"
#include "genzo/v1/jobs.pb.h"
#include "tests/gateway/form_parts.h"
#include "tests/testing/fake_clock.h"
#include "tests/testing/matchers.h"
#include "tests/testing/test_folder.h"

namespace genzo {
namespace {

using nlohmann::json;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Key;
using ::testing::Not;

TEST(MultipartEdgesTest, AFormMayHaveNothingInIt) {
  const auto parts = ParseForm("--b--", "b");
  ASSERT_THAT(parts, IsOk());
  EXPECT_TRUE(parts->empty());
}

TEST(MultipartEdgesTest, TheMostPartsAreTaken) {
  std::string body;
  for (size_t i = 0; i < kMaxFormParts; ++i) body += Part(kField, "");
  EXPECT_EQ(ParseForm(body + "--b--\r\n", "b")->size(), kMaxFormParts);
}

TEST(MultipartEdgesTest, TheMostHeadersAreTaken) {
  std::string head = kField;
  for (int i = 0; i < 7; ++i) absl::StrAppend(&head, "\r\nx-", i, ": y");
  EXPECT_THAT(ParseForm(Part(head, "1") + "--b--", "b"), IsOk());
  EXPECT_THAT(ParseForm(Part(head + "\r\nz: y", "1") + "--b--", "b"),
              StatusIs(kInvalid, "a part with more than 8 headers"));
}

TEST(MultipartEdgesTest, ANameThatIsNoTextIsRefused) {
  EXPECT_THAT(
      ParseForm(
          Part("Content-Disposition: form-data; name=\"\xff\"", "1") + "--b--",
          "b"),
      StatusIs(kInvalid, "no sound name"));
}

TEST(MultipartEdgesTest, AFileWithoutANameIsStillAFile) {
  const auto parts = ParseForm(
      Part(std::string(kField) + "; filename=\"\"", "1") + "--b--", "b");
  EXPECT_EQ(parts->at(0).file_name, "file");
}

TEST(MultipartEdgesTest, BytesOfEveryKindAreContent) {
  std::string bytes("\0\r\n--", 5);
  for (int i = 0; i < 256; ++i) bytes += static_cast<char>(i);
  const std::string body = Part(kField, bytes) + "--b--\r\n";
  EXPECT_EQ(ParseForm(body, "b")->at(0).content, bytes);
}

TEST(MultipartEdgesTest, TheLongestBoundaryIsTaken) {
  const std::string longest(70, 'a');
  EXPECT_EQ(BoundaryOf("multipart/form-data; boundary=" + longest), longest);
}

TEST(TargetEdgesTest, AStarIsNoPath) {
  EXPECT_EQ(ParseTarget("*")->path, "*");
  EXPECT_THAT(ParseTarget("*a"), StatusIs(kInvalid, "path"));
}

TEST(TargetEdgesTest, AQueryMayBeEmptyOrWithoutValues) {
  EXPECT_THAT(ParseTarget("/a?"), IsOk());
  EXPECT_EQ(ParseTarget("/a?x")->query.at("x"), "");
  EXPECT_EQ(ParseTarget("/a?x=%3D%26")->query.at("x"), "=&");
}

TEST(TargetEdgesTest, DotsInsideANameAreNoSegment) {
  EXPECT_EQ(ParseTarget("/a..b/...")->path, "/a..b/...");
}

TEST(SecretTest, TextsOfOtherLengthsAreNotTheSame) {
  EXPECT_TRUE(SameSecret("ab", "ab"));
  EXPECT_FALSE(SameSecret("ab", "abc"));
  EXPECT_FALSE(SameSecret("ab", "aB"));
  EXPECT_TRUE(SameSecret("", ""));
}

TEST(SecretTest, RandomTextIsNeverTheSame) {
  EXPECT_EQ(RandomHex(16).size(), 32u);
  EXPECT_NE(RandomHex(16), RandomHex(16));
}

// The parts of a link: name, expiry, signature.
absl::StatusOr<PictureStore::Picture> Follow(const PictureStore& store,
                                             const std::string& link) {
  const std::vector<std::string> parts =
      absl::StrSplit(link, absl::ByAnyChar("?=&"));
  return store.Find(parts.at(0), parts.at(2), parts.at(4));
}

TEST(PictureStoreEdgesTest, PicturesThatExpiredMakeRoom) {
  FakeClock clock;
  PictureStore store("secret", {.max_bytes = 10, .kept = absl::Minutes(1)},
                     clock);
  store.Keep("12345678", "image/png");
  clock.Advance(absl::Minutes(1));
  const std::string second = store.Keep("1234", "image/png");
  const std::string third = store.Keep("123456", "image/png");
  EXPECT_THAT(Follow(store, second), IsOk()) << "8 bytes were given back";
  EXPECT_THAT(Follow(store, third), IsOk());
}

TEST(PictureStoreEdgesTest, ALinkFollowsTheDateWhenItIsSet) {
  FakeClock clock;
  PictureStore store("secret", {.kept = absl::Minutes(1)}, clock);
  const std::string link = store.Keep("x", "image/webp");
  EXPECT_THAT(link, HasSubstr(".webp?expires="));
  clock.SetDateForward(absl::Hours(1));
  EXPECT_THAT(Follow(store, link),
              StatusIs(absl::StatusCode::kNotFound, "has expired"));
}

TEST(PictureStoreEdgesTest, APictureThatIsBeingReadOutlivesItsPlace) {
  FakeClock clock;
  PictureStore store("secret", {.max_bytes = 4}, clock);
  const auto found = Follow(store, store.Keep("1234", "image/png"));
  ASSERT_THAT(found, IsOk());
  store.Keep("5678", "image/png");
  EXPECT_EQ(*found->bytes, "1234");
}

CallerKeys Keys(const std::string& authorization,
                const std::string& tenant = "") {
  return {authorization, tenant, /*traceparent=*/""};
}

v1::JobEvent ProgressOf(uint32_t image, uint32_t step, uint32_t steps) {
  v1::JobEvent event;
  event.mutable_progress()->set_image_index(image);
  event.mutable_progress()->set_step(step);
  event.mutable_progress()->set_steps(steps);
  return event;
}

TEST(SeatsTest, ProgressIsOverAllImages) {
  A1111Seats seats;
  const auto ticket = seats.Sit({}, 2);
  EXPECT_EQ(ticket->job().Share(), 0);
  ticket->Take(ProgressOf(0, 10, 20));
  EXPECT_EQ(ticket->job().Share(), 0.25);
  v1::JobEvent image;
  image.mutable_image()->mutable_picture()->set_data("png");
  ticket->Take(image);
  EXPECT_EQ(ticket->job().Share(), 0.5) << "a finished image is whole";
  EXPECT_EQ(ticket->job().previews.at(0), "png");
}

TEST(SeatsTest, BothPassesOfAnImageCount) {
  A1111Seats seats;
  const auto ticket = seats.Sit({}, 1);
  v1::JobEvent started;
  started.mutable_started()->mutable_resolved()->set_steps(10);
  ticket->Take(started);
  ticket->Take(ProgressOf(0, 10, 20));
  EXPECT_EQ(ticket->job().Share(), 0.5) << "the first pass is done";
}

TEST(SeatsTest, JobsBehindEachOtherAreOne) {
  A1111Seats seats;
  const auto ticket = seats.Sit({}, 2);
  v1::JobEvent started, image;
  started.mutable_started();
  image.mutable_image()->mutable_picture()->set_data("png");
  ticket->Take(image, /*place=*/0);
  EXPECT_EQ(ticket->job().Share(), 0.5) << "without a step it is whole, too";
  ticket->Take(started, /*place=*/1);
  EXPECT_TRUE(ticket->job().previews.empty()) << "it is behind";
  ticket->Take(ProgressOf(0, 4, 16), /*place=*/1);
  EXPECT_EQ(ticket->job().Share(), 0.625) << "each by its own tiles";
}

TEST(SeatsTest, CallersDoNotSeeEachOther) {
  A1111Seats seats;
  const auto mine = seats.Sit(Keys("me"), 1);
  EXPECT_TRUE(seats.Latest(Keys("me")).has_value());
  EXPECT_FALSE(seats.Latest(Keys("you")).has_value());
  seats.Interrupt(Keys("you"));
  EXPECT_FALSE(mine->job().was_interrupted);
}

TEST(SeatsTest, ATenantHasASeatOfItsOwn) {
  A1111Seats seats;
  seats.ChooseModel(Keys("key", "a"), "emaki");
  EXPECT_EQ(seats.Model(Keys("key", "a")), "emaki");
  EXPECT_EQ(seats.Model(Keys("key", "b")), "");
}

TEST(SeatsTest, TheJobThatBeganLastIsTheLatest) {
  A1111Seats seats;
  const auto first = seats.Sit({}, 1);
  auto second = seats.Sit({}, 3);
  EXPECT_EQ(seats.Latest({})->images, 3u);
  second.reset();
  EXPECT_EQ(seats.Latest({})->images, 1u);
}

TEST(SeatsTest, InterruptEndsAllJobsOfTheCaller) {
  A1111Seats seats;
  int ended = 0;
  const auto first = seats.Sit({}, 1);
  const auto second = seats.Sit({}, 1);
  first->SetCancel([&] { ++ended; });
  second->SetCancel([&] { ++ended; });
  seats.Interrupt({});
  EXPECT_EQ(ended, 2);
  EXPECT_TRUE(second->job().was_interrupted);
}

TEST(SeatsTest, AnInterruptBeforeTheCallIsMadeEndsItOnceItIs) {
  A1111Seats seats;
  int ended = 0;
  const auto ticket = seats.Sit({}, 1);
  seats.Interrupt({});
  ticket->SetCancel([&] { ++ended; });
  EXPECT_EQ(ended, 1);
}

TEST(DoorErrorEdgesTest, DoorsAreToldByTheirPaths) {
  EXPECT_EQ(DoorOf("/sdapi/v1/txt2img"), DoorKind::kA1111);
  EXPECT_EQ(DoorOf("/v1/jobs"), DoorKind::kJobs);
  EXPECT_EQ(DoorOf("/v1/jobs/a/events"), DoorKind::kJobs);
  EXPECT_EQ(DoorOf("/v1/jobsite"), DoorKind::kOpenAi);
  EXPECT_EQ(DoorOf("/mcp"), DoorKind::kMcp);
  EXPECT_EQ(DoorOf("/"), DoorKind::kOpenAi);
}

TEST(DoorErrorEdgesTest, WhoIsNotKnownIsAskedForAKey) {
  const HttpResponse response =
      ErrorResponse(DoorKind::kJobs, absl::UnauthenticatedError("no key"));
  EXPECT_EQ(response.status, 401);
  EXPECT_THAT(response.headers, Contains(Key("www-authenticate")));
}

TEST(DoorErrorEdgesTest, StatusesHaveTheCodesThatTheyComeFrom) {
  for (const auto& [status, code] :
       {std::pair(400, "INVALID_ARGUMENT"), std::pair(404, "NOT_FOUND"),
        std::pair(413, "INVALID_ARGUMENT"),
        std::pair(429, "RESOURCE_EXHAUSTED"), std::pair(500, "INTERNAL"),
        std::pair(501, "UNIMPLEMENTED"), std::pair(503, "UNAVAILABLE"),
        std::pair(504, "DEADLINE_EXCEEDED"), std::pair(505, "UNIMPLEMENTED")}) {
    const HttpResponse response = ErrorResponse(DoorKind::kJobs, status, "x");
    EXPECT_EQ(json::parse(response.body)["error"]["status"], code) << status;
  }
}

TEST(DoorErrorEdgesTest, ALimitThatTimeDoesNotLiftIsNotTriedAgain) {
  const HttpResponse response = ErrorResponse(
      DoorKind::kOpenAi, absl::ResourceExhaustedError("too large"));
  EXPECT_EQ(response.status, 422);
  EXPECT_THAT(response.headers, Not(Contains(Key("retry-after"))));
}

TEST(DoorErrorEdgesTest, DetailsOfAnotherErrorAreNotBelieved) {
  const auto details = ToRpcStatus(JobCancelledError());
  const absl::Status status = FromGrpcStatus(grpc::Status(
      grpc::StatusCode::INTERNAL, "broken", details.SerializeAsString()));
  EXPECT_THAT(status, StatusIs(absl::StatusCode::kInternal, "broken"));
  EXPECT_EQ(ErrorReason(status), "");
}

TEST(DoorErrorEdgesTest, A1111sClientsReadTextAndPlace) {
  const json plain = json::parse(
      ErrorResponse(DoorKind::kA1111, absl::InternalError("gone")).body);
  EXPECT_EQ(plain["detail"], "gone");
  EXPECT_EQ(plain["errors"], "gone");
  const HttpResponse field = ErrorResponse(
      DoorKind::kA1111, InvalidFieldsError({{"steps", "steps 0 is low"}}));
  EXPECT_EQ(field.status, 422) << "as FastAPI answers";
}

TEST(DoorErrorEdgesTest, BytesThatAreNoTextDoNotSpoilAnAnswer) {
  const HttpResponse response =
      ErrorResponse(DoorKind::kOpenAi, absl::InternalError("bad \xff"));
  EXPECT_EQ(json::parse(response.body)["error"]["message"], "bad \uFFFD");
}

TEST(DoorErrorEdgesTest, AnErrorWithoutAViolationMayNameAField) {
  const absl::Status status = RequestIdInUseError("7");
  const json jobs = json::parse(ErrorResponse(DoorKind::kJobs, status).body);
  EXPECT_EQ(jobs["error"]["field_violations"][0]["field"], "request_id");
  EXPECT_EQ(jobs["error"]["status"], "ALREADY_EXISTS");
  const json openai = OpenAiError(Renamed(status, OpenAiNames()));
  EXPECT_EQ(openai["param"], "idempotency-key");
  EXPECT_EQ(openai["message"],
            "idempotency-key 7 was used for another request");
}

TEST(DoorErrorEdgesTest, AModelThatIsNotKnownIsAFieldOfEveryDoor) {
  const absl::Status status = ModelNotFoundError("x", {});
  EXPECT_EQ(OpenAiError(status)["param"], "model");
  EXPECT_EQ(OpenAiError(Renamed(status, OpenAiNames()))["param"], "model");
  const HttpResponse a1111 =
      ErrorResponse(DoorKind::kA1111, Renamed(status, A1111Names()));
  EXPECT_EQ(a1111.status, 404);
  EXPECT_EQ(json::parse(a1111.body)["detail"][0]["loc"],
            (json{"body", "override_settings", "sd_model_checkpoint"}));
  EXPECT_EQ(ErrorReason(Renamed(status, A1111Names())), "MODEL_NOT_FOUND");
}

TEST(DoorErrorEdgesTest, ReasonsThatAreOfOneFieldNameIt) {
  for (const auto& [reason, field] :
       {std::pair("LATENTS_NOT_FOUND", "start_latents"),
        std::pair("DEADLINE_UNREACHABLE", "time_limit")}) {
    const absl::Status status =
        ErrorWithReason(absl::StatusCode::kNotFound, reason, "no");
    EXPECT_EQ(OpenAiError(Renamed(status, OpenAiNames()))["param"], field);
  }
}

TEST(DoorErrorEdgesTest, AQuotaOfJobsIsALimitOfRequests) {
  const auto limit_of = [](const absl::Status& status) {
    const HttpResponse response = ErrorResponse(DoorKind::kOpenAi, status);
    EXPECT_EQ(response.status, 429);
    for (const auto& [name, value] : response.headers) {
      if (name == "x-ratelimit-limit-requests") return value;
    }
    return std::string();
  };
  const auto limit = [&](const std::string& quota) {
    return limit_of(QuotaError(quota, "3", "me", "too much", absl::Seconds(2)));
  };
  EXPECT_EQ(limit("max_jobs"), "3");
  EXPECT_EQ(limit("max_queued_jobs"), "3");
  EXPECT_EQ(limit("cost_per_minute"), "") << "which counts no requests";
  EXPECT_EQ(limit_of(RetryLaterError("QUEUE_FULL", "full", absl::Seconds(2),
                                     {{"quota", "queue"}, {"limit", "64"}})),
            "64");
}

// As FastAPI does.
TEST(DoorErrorEdgesTest, A1111IsToldAPlaceInPieces) {
  const json body = json::parse(
      ErrorResponse(
          DoorKind::kA1111,
          InvalidFieldsError({{"alwayson_scripts.x.args[2].image", "gone"}}))
          .body);
  EXPECT_EQ(body["detail"][0]["loc"],
            json::parse(R"(["body", "alwayson_scripts", "x", "args", 2,
                            "image"])"));
}

TEST(ProtoJsonEdgesTest, ZerosAreTold) {
  EXPECT_EQ(json::parse(ToJson(v1::Job()))["images_done"], 0);
}

TEST(ProtoJsonEdgesTest, NumbersThatJavaScriptCannotHoldAreTexts) {
  v1::GenerateRequest request;
  request.set_seed(18446744073709551615u);
  const std::string text = ToJson(request);
  EXPECT_EQ(json::parse(text)["seed"], "18446744073709551615");
  v1::GenerateRequest again;
  ASSERT_THAT(FromJson(text, again), IsOk());
  EXPECT_EQ(again.seed(), request.seed());
}

TEST(ProtoJsonEdgesTest, AMessageThatHoldsItselfHasASchema) {
  json schemas = json::object();
  AddSchemas(*v1::Job::descriptor(), schemas);
  EXPECT_EQ(schemas["Job"]["properties"]["state"]["$ref"],
            "#/components/schemas/JobState");
  EXPECT_EQ(schemas["Job"]["additionalProperties"], false);
  EXPECT_TRUE(schemas.contains("GenerateRequest"));
}

TEST(ServerSentEventTest, HasAnIdWhereThereIsOne) {
  EXPECT_EQ(ServerSentEvent("image", 7, "{}"),
            "event: image\nid: 7\ndata: {}\n\n");
  EXPECT_EQ(ServerSentEvent("image", 0, "{}"), "event: image\ndata: {}\n\n");
}

TEST(ServerSentEventTest, AnIdThatMakesNoSenseIsNone) {
  HttpRequest request;
  EXPECT_EQ(LastEventId(request), 0u);
  for (const auto& [text, id] : {std::pair("12", 12u), std::pair("-1", 0u),
                                 std::pair("x", 0u), std::pair("", 0u)}) {
    request.headers = {{"last-event-id", text}};
    EXPECT_EQ(LastEventId(request), id) << text;
  }
}

TEST(RequestIdEdgesTest, AnIdThatIsMadeIsOfTheOwnRulesVersion) {
  const std::string id = RequestIdOf("a key of one's own");
  EXPECT_EQ(id[14], '8');
  EXPECT_THAT(std::string("89ab"), HasSubstr(std::string(1, id[19])));
  EXPECT_EQ(RequestIdOf(id), id);
}

TEST(PreviewStepsEdgesTest, AWalkOfNoStepsHasNone) {
  v1::GenerateRequest request;
  request.mutable_image_to_image()->set_strength(0);
  EXPECT_TRUE(PreviewSteps(request, 20, 3).empty());
  EXPECT_TRUE(PreviewSteps({}, 0, 3).empty());
}

TEST(PreviewStepsEdgesTest, AStrengthThatIsNotSaidIsTheServicesOwn) {
  v1::GenerateRequest request;
  request.mutable_image_to_image();
  EXPECT_THAT(PreviewSteps(request, 10, 1), ElementsAre(6));
}

TEST(PageEdgesTest, ALinkToElsewhereIsNotServed) {
  const TestFolder elsewhere;
  const std::string secret = elsewhere.Write("secret.txt", "secret");
  const TestFolder folder;
  folder.Write("index.html", "x");
  std::filesystem::create_symlink(secret, folder.path() + "/linked.txt");
  const auto page = Page::Read(folder.path());
  ASSERT_THAT(page, IsOk());
  EXPECT_EQ(page->size(), 1u);
}

TEST(PageEdgesTest, ACompressedFileAloneIsNoPage) {
  const TestFolder folder;
  folder.Write("index.html.gz", "x");
  EXPECT_THAT(Page::Read(folder.path()),
              StatusIs(absl::StatusCode::kNotFound, "has no index.html"));
}

}  // namespace
}  // namespace genzo
