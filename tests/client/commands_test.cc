// The commands that ask a server, against one that answers what it is told.

#include <cstdlib>
#include <sstream>

#include "base/errors.h"
#include "client/connection.h"
#include "client/generate_command.h"
#include "client/jobs_command.h"
#include "client/loras_command.h"
#include "client/models_command.h"
#include "nlohmann/json.hpp"
#include "tests/client/commands_fixture.h"
#include "tests/testing/matchers.h"
#include "tests/testing/test_folder.h"

namespace genzo {
namespace {

using ::testing::ElementsAre;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::StartsWith;

TEST_F(CommandsTest, JobsAreListedALineEach) {
  *answers_.job_pages.emplace_back().add_jobs() =
      AJob("a", v1::JOB_STATE_RUNNING);
  const Outcome outcome = Run<JobsCommand>({"jobs"});
  EXPECT_EQ(outcome.status, kExitOk);
  EXPECT_EQ(outcome.out,
            "a  running    2023-11-14T22:13:20Z  3 of 20 steps  0 images\n");
}

TEST_F(CommandsTest, JobsOfEveryPageAreListed) {
  v1::ListJobsResponse page;
  *page.add_jobs() = AJob("first", v1::JOB_STATE_QUEUED);
  page.set_next_page_token("more");
  answers_.job_pages.push_back(page);
  *answers_.job_pages.emplace_back().add_jobs() =
      AJob("second", v1::JOB_STATE_QUEUED);
  const Outcome outcome = Run<JobsCommand>({"jobs"});
  EXPECT_THAT(outcome.out, AllOf(HasSubstr("first"), HasSubstr("second")));
  ASSERT_EQ(answers_.asked.size(), 2u);
  EXPECT_THAT(answers_.asked[1], HasSubstr("page_token: \"more\""));
}

TEST_F(CommandsTest, StatesOfJobsAreSeparatedByCommas) {
  Run<JobsCommand>({"jobs", "--state", "failed,expired"});
  EXPECT_THAT(answers_.asked[0], HasSubstr("states: JOB_STATE_FAILED states: "
                                           "JOB_STATE_EXPIRED"));
}

TEST_F(CommandsTest, AStateThatIsNoneIsRefusedBeforeTheCall) {
  EXPECT_THROW(Run<JobsCommand>({"jobs", "--state", "lost"}), CLI::ParseError);
  EXPECT_THAT(answers_.asked, IsEmpty());
}

TEST_F(CommandsTest, AJobTellsWhyItFailedWithoutControlCharacters) {
  v1::Job job = AJob("a", v1::JOB_STATE_FAILED);
  job.mutable_status()->set_message("no\x1b[2J memory");
  *answers_.job_pages.emplace_back().add_jobs() = job;
  EXPECT_THAT(Run<JobsCommand>({"jobs"}).out,
              EndsWith("  no\uFFFD[2J memory\n"));
}

TEST_F(CommandsTest, JobsAsJsonAreAnObjectALine) {
  v1::ListJobsResponse& page = answers_.job_pages.emplace_back();
  *page.add_jobs() = AJob("a", v1::JOB_STATE_QUEUED);
  *page.add_jobs() = AJob("b", v1::JOB_STATE_QUEUED);
  std::istringstream lines(Run<JobsCommand>({"jobs", "--json"}).out);
  std::vector<std::string> ids;
  for (std::string line; std::getline(lines, line);) {
    const auto job = nlohmann::json::parse(line);
    ids.push_back(job["id"]);
    EXPECT_EQ(job["images_done"], 0) << "zeros are told";
  }
  EXPECT_THAT(ids, ElementsAre("a", "b"));
}

TEST_F(CommandsTest, ARefusalGoesToStandardErrorAndTheExitStatus) {
  answers_.status = grpc::Status(grpc::StatusCode::PERMISSION_DENIED,
                                 "the key may not see jobs");
  const Outcome outcome = Run<JobsCommand>({"jobs"});
  EXPECT_EQ(outcome.status, kExitRefused);
  EXPECT_EQ(outcome.out, "");
  EXPECT_EQ(outcome.error, "genzo: the key may not see jobs\n");
}

TEST_F(CommandsTest, WatchingWritesThePicturesOfTheJob) {
  answers_.job = AJob("a", v1::JOB_STATE_RUNNING);
  answers_.job.mutable_resolved()->set_prompt("a red fox");
  answers_.events = {ImageOf("png"),
                     EndOf(v1::JOB_STATE_SUCCEEDED, absl::OkStatus())};
  const Outcome outcome =
      Run<JobsCommand>({"watch", "a", "-o", folder_.path(), "--after", "9"});
  EXPECT_EQ(outcome.status, kExitOk) << outcome.error;
  EXPECT_EQ(ReadFile(folder_.path() + "/a-red-fox-seed7.png"), "png");
  EXPECT_THAT(answers_.asked[1], HasSubstr("after_sequence: 9"));
}

TEST_F(CommandsTest, AWatchedEnlargementIsNotCalledASeeds) {
  answers_.job = AJob("a", v1::JOB_STATE_RUNNING);
  answers_.job.mutable_resolved()->set_model("lanczos");
  answers_.events = {ImageOf("png"),
                     EndOf(v1::JOB_STATE_SUCCEEDED, absl::OkStatus())};
  const Outcome outcome =
      Run<JobsCommand>({"watch", "a", "-o", folder_.path()});
  EXPECT_THAT(outcome.out, StartsWith("enlarged to 64 x 32: "));
}

TEST_F(CommandsTest, WatchingTakesPicturesInPieces) {
  v1::JobEvent image = ImageOf("");
  image.mutable_image()->mutable_picture()->set_size_bytes(5);
  v1::JobEvent first, second;
  first.mutable_chunk()->set_data("abc");
  second.mutable_chunk()->set_data("de");
  second.mutable_chunk()->set_offset(3);
  answers_.events = {image, first, second,
                     EndOf(v1::JOB_STATE_SUCCEEDED, absl::OkStatus())};
  EXPECT_EQ(Run<JobsCommand>({"watch", "a", "-o", folder_.path()}).status,
            kExitOk);
  EXPECT_EQ(ReadFile(folder_.path() + "/image-seed7.png"), "abcde");
}

TEST_F(CommandsTest, AWatchedJobThatFailedFailsTheCommand) {
  answers_.events = {
      EndOf(v1::JOB_STATE_FAILED, absl::InternalError("a device is gone"))};
  const Outcome outcome = Run<JobsCommand>({"watch", "a"});
  EXPECT_EQ(outcome.status, kExitFailed);
  EXPECT_THAT(outcome.error, HasSubstr("the job ended: a device is gone"));
}

TEST_F(CommandsTest, AWatchedJobThatRanOutOfTimeSaysSo) {
  answers_.events = {
      EndOf(v1::JOB_STATE_EXPIRED, absl::DeadlineExceededError("too late"))};
  EXPECT_EQ(Run<JobsCommand>({"watch", "a"}).status, kExitDeadline);
}

// Whatever a server leaves out, a script must not take it for success.
TEST_F(CommandsTest, AnEndWithoutAReasonIsNoSuccess) {
  answers_.events = {EndOf(v1::JOB_STATE_CANCELLED, absl::OkStatus())};
  EXPECT_EQ(Run<JobsCommand>({"watch", "a"}).status, kExitFailed);
}

TEST_F(CommandsTest, AStreamWithoutAnEndIsNoSuccess) {
  answers_.events = {ImageOf("png")};
  EXPECT_EQ(Run<JobsCommand>({"watch", "a", "-o", folder_.path()}).status,
            kExitFailed);
}

TEST_F(CommandsTest, AnImageThatFailedIsNoSuccess) {
  v1::JobEvent failed;
  failed.mutable_image_failed()->mutable_status()->set_message("not finite");
  answers_.events = {failed, EndOf(v1::JOB_STATE_SUCCEEDED, absl::OkStatus())};
  const Outcome outcome = Run<JobsCommand>({"watch", "a"});
  EXPECT_EQ(outcome.status, kExitFailed);
  EXPECT_THAT(outcome.out, HasSubstr("image 0 failed: not finite"));
  EXPECT_THAT(outcome.error, HasSubstr("1 images failed"));
}

TEST_F(CommandsTest, AJobThatIsNotKnownIsNotWatched) {
  answers_.status = grpc::Status(grpc::StatusCode::NOT_FOUND, "no job \"a\"");
  const Outcome outcome = Run<JobsCommand>({"watch", "a"});
  EXPECT_EQ(outcome.status, kExitRefused);
  EXPECT_EQ(answers_.asked.size(), 1u);
}

TEST_F(CommandsTest, CancellingTellsWhatBecameOfTheJob) {
  answers_.job = AJob("a", v1::JOB_STATE_CANCELLED);
  const Outcome outcome = Run<JobsCommand>({"cancel", "a"});
  EXPECT_EQ(outcome.status, kExitOk);
  EXPECT_THAT(outcome.out, StartsWith("a  cancelled"));
  EXPECT_THAT(answers_.asked, ElementsAre("CancelJob id: \"a\""));
}

TEST_F(CommandsTest, CancellingNeedsAnId) {
  EXPECT_THROW(Run<JobsCommand>({"cancel"}), CLI::ParseError);
}

TEST_F(CommandsTest, AdaptersOfEveryPageAreListed) {
  v1::LoraRegistryListResponse page;
  v1::Lora& lora = *page.add_loras();
  lora.set_name("ink");
  lora.set_family("sd1");
  lora.set_rank(8);
  lora.set_file_bytes(2'500'000);
  lora.add_models("emaki");
  page.set_next_page_token("more");
  answers_.lora_pages.push_back(page);
  v1::Lora& broken = *answers_.lora_pages.emplace_back().add_loras();
  broken.set_name("torn");
  broken.mutable_error()->set_message("is cut");
  EXPECT_EQ(Run<LorasCommand>({"loras", "-m", "emaki"}).out,
            "ink  sd1, rank 8, 2.5 MB; for emaki\n"
            "torn  cannot be used: is cut\n");
  EXPECT_THAT(answers_.asked[0], HasSubstr("model: \"emaki\""));
}

TEST_F(CommandsTest, AnAdapterThatFitsNoModelIsCalledSo) {
  v1::Lora& lora = *answers_.lora_pages.emplace_back().add_loras();
  lora.set_name("ink");
  lora.set_family("sd1");
  lora.set_rank(4);
  EXPECT_EQ(Run<LorasCommand>({"loras"}).out,
            "ink  sd1, rank 4, 0.0 MB; fits none of the models loaded so "
            "far\n");
}

TEST_F(CommandsTest, AdaptersAsJsonAreOneAnswer) {
  answers_.lora_pages.emplace_back().add_loras()->set_name("a");
  answers_.lora_pages.back().set_next_page_token("more");
  answers_.lora_pages.emplace_back().add_loras()->set_name("b");
  const auto json =
      nlohmann::json::parse(Run<LorasCommand>({"loras", "--json"}).out);
  EXPECT_EQ(json["loras"].size(), 2u);
  EXPECT_FALSE(json.contains("next_page_token"));
}

TEST_F(CommandsTest, AModelInMemoryTellsWhatItTakes) {
  v1::Model& model = *answers_.model_pages.emplace_back().add_models();
  model.set_id("emaki");
  model.set_is_default(true);
  model.set_state(v1::Model::STATE_RESIDENT);
  model.add_samplers()->set_sampler(v1::SAMPLER_DDIM);
  model.add_controlnets("canny");
  const std::string out = Run<ModelsCommand>({"models"}).out;
  EXPECT_THAT(out, StartsWith("emaki (default)  resident"));
  EXPECT_THAT(out, HasSubstr("  samplers ddim\n"));
  EXPECT_THAT(out, HasSubstr("  controls canny\n"));
  EXPECT_THAT(out, Not(HasSubstr("image prompts")));
}

TEST_F(CommandsTest, AModelThatFailedTellsWhy) {
  v1::Model& model = *answers_.model_pages.emplace_back().add_models();
  model.set_id("emaki");
  model.set_state(v1::Model::STATE_FAILED);
  model.mutable_error()->set_message("vae: is missing\n");
  EXPECT_EQ(Run<ModelsCommand>({"models"}).out,
            "emaki  failed: vae: is missing\uFFFD\n");
}

TEST_F(CommandsTest, OrdersNameTheirModel) {
  answers_.model.set_id("emaki");
  answers_.model.set_state(v1::Model::STATE_LOADING);
  EXPECT_EQ(Run<ModelsCommand>({"models", "load", "emaki", "--pin"}).out,
            "emaki  loading\n");
  Run<ModelsCommand>({"models", "load", "emaki"});
  Run<ModelsCommand>({"models", "unload", "emaki"});
  Run<ModelsCommand>({"models", "drain", "emaki"});
  EXPECT_THAT(
      answers_.asked,
      ElementsAre("LoadModel id: \"emaki\" pinned: true",
                  "LoadModel id: \"emaki\"", "UnloadModel id: \"emaki\"",
                  "DrainModel id: \"emaki\""));
}

TEST_F(CommandsTest, AnOrderThatIsRefusedPrintsNoModel) {
  answers_.status =
      grpc::Status(grpc::StatusCode::UNAUTHENTICATED, "the key is missing");
  const Outcome outcome = Run<ModelsCommand>({"models", "unload", "emaki"});
  EXPECT_EQ(outcome.status, kExitRefused);
  EXPECT_EQ(outcome.out, "");
}

TEST_F(CommandsTest, AJobThatNobodyWaitsForPrintsItsId) {
  answers_.job.set_id("4f2a");
  const Outcome outcome =
      Run<GenerateCommand>({"generate", "a fox", "--detach"});
  EXPECT_EQ(outcome.out, "4f2a\n");
  EXPECT_THAT(answers_.asked, ElementsAre(StartsWith("CreateJob request {")));
}

TEST_F(CommandsTest, AJobThatNobodyWaitsForIsJsonWhereThatIsAskedFor) {
  answers_.job = AJob("4f2a", v1::JOB_STATE_QUEUED);
  const auto json = nlohmann::json::parse(
      Run<GenerateCommand>({"generate", "a fox", "--detach", "--json"}).out);
  EXPECT_EQ(json["id"], "4f2a");
  EXPECT_EQ(json["state"], "JOB_STATE_QUEUED");
}

TEST_F(CommandsTest, ATimeThatPassedIsCalledByItsOption) {
  answers_.status =
      grpc::Status(grpc::StatusCode::DEADLINE_EXCEEDED, "Deadline Exceeded");
  const Outcome outcome =
      Run<GenerateCommand>({"generate", "a fox", "--timeout", "9"});
  EXPECT_EQ(outcome.status, kExitDeadline);
  EXPECT_EQ(outcome.error, "genzo: --timeout passed before it was done\n");
  for (const Outcome& other : {Run<GenerateCommand>({"generate", "a fox"}),
                               Run<JobsCommand>({"watch", "4f2a"})}) {
    EXPECT_EQ(other.status, kExitDeadline);
    EXPECT_EQ(other.error, "genzo: Deadline Exceeded\n");
  }
}

TEST_F(CommandsTest, AFullServerIsTriedAgainLater) {
  const google::rpc::Status full = ToRpcStatus(
      RetryLaterError("QUEUE_FULL", "the queue is full", absl::Seconds(3)));
  answers_.status = grpc::Status(grpc::StatusCode::UNAVAILABLE, full.message(),
                                 full.SerializeAsString());
  const Outcome outcome = Run<GenerateCommand>({"generate", "a fox"});
  EXPECT_EQ(outcome.status, kExitUnavailable);
  EXPECT_EQ(outcome.error, "genzo: the queue is full; try again in 3 s\n");
}

TEST_F(CommandsTest, AJobThatNobodyWaitsForEndsInTime) {
  Run<GenerateCommand>({"generate", "a fox", "--detach", "--timeout", "3"});
  EXPECT_THAT(answers_.asked,
              ElementsAre(HasSubstr("time_limit { seconds: 3 }")));
}

TEST_F(CommandsTest, AModelThatLoadsForLongerThanThereIsTimeIsSaidSo) {
  const google::rpc::Status loading = ToRpcStatus(RetryLaterError(
      "MODEL_LOADING", "model \"a\" is still loading", absl::Seconds(2)));
  answers_.status =
      grpc::Status(grpc::StatusCode::UNAVAILABLE, loading.message(),
                   loading.SerializeAsString());
  const Outcome outcome =
      Run<GenerateCommand>({"generate", "a fox", "--timeout", "1"});
  EXPECT_EQ(outcome.status, kExitUnavailable);
  EXPECT_THAT(outcome.error, HasSubstr("is still loading"));
}

TEST_F(CommandsTest, AFaultNamesTheOptionThatSetsTheField) {
  const google::rpc::Status refused = ToRpcStatus(InvalidFieldsError(
      {{"image_count", "image_count 9 is not between 1 and 8"},
       {"loras[1].weight", "loras[1].weight 99 is over 10"},
       {"steps", "steps 0 is not between 1 and 100"}}));
  answers_.status =
      grpc::Status(grpc::StatusCode::INVALID_ARGUMENT, refused.message(),
                   refused.SerializeAsString());
  const Outcome outcome = Run<GenerateCommand>({"generate", "a fox"});
  EXPECT_EQ(outcome.error,
            "genzo: image_count 9 is not between 1 and 8 (--count); "
            "loras[1].weight 99 is over 10 (--lora); "
            "steps 0 is not between 1 and 100\n");
}

TEST(ConnectionTest, WhatIsSentMustBePrintable) {
  for (const char* variable : {"GENZO_API_KEY", "GENZO_TENANT"}) {
    setenv(variable, "gz_secret\r", /*overwrite=*/1);
    const absl::Status status = CheckEnvironment();
    unsetenv(variable);
    EXPECT_THAT(status, StatusIs(absl::StatusCode::kInvalidArgument, variable));
    EXPECT_THAT(std::string(status.message()), Not(HasSubstr("secret")));
  }
}

TEST(ConnectionTest, FilesOfTheEnvironmentMustBeThere) {
  const TestFolder folder;
  const auto with = [](const char* variable, const std::string& path) {
    setenv(variable, path.c_str(), /*overwrite=*/1);
    const absl::Status status = CheckEnvironment();
    unsetenv(variable);
    return status;
  };
  EXPECT_THAT(CheckEnvironment(), IsOk());
  EXPECT_THAT(with("GENZO_CA_FILE", "/nope.pem"),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       "GENZO_CA_FILE /nope.pem cannot be read: No such"));
  EXPECT_THAT(with("GENZO_CA_FILE", folder.Write("ca", "no certificate")),
              StatusIs(absl::StatusCode::kInvalidArgument, "is no PEM file"));
  EXPECT_THAT(with("GENZO_CA_FILE", "system"), IsOk());
  const std::string pem = folder.Write("c", "-----BEGIN X-----");
  EXPECT_THAT(with("GENZO_CERT_FILE", pem), IsOk()) << "without TLS";
  setenv("GENZO_CA_FILE", "system", /*overwrite=*/1);
  EXPECT_THAT(with("GENZO_CERT_FILE", pem),
              StatusIs(absl::StatusCode::kInvalidArgument, "go together"));
  unsetenv("GENZO_CA_FILE");
}

TEST_F(CommandsTest, APictureThatCannotBeReadIsAWrongCommandLine) {
  const Outcome outcome = Run<GenerateCommand>(
      {"generate", "a fox", "--image", folder_.path() + "/none.png"});
  EXPECT_EQ(outcome.status, kExitUsage);
  EXPECT_THAT(outcome.error, HasSubstr("none.png cannot be read: No such"));
}

TEST_F(CommandsTest, AServerThatIsNotThereIsNamed) {
  const Outcome outcome = RunCommand<LorasCommand>("127.0.0.1:1", {"loras"});
  EXPECT_EQ(outcome.status, kExitUnavailable);
  EXPECT_THAT(outcome.error,
              StartsWith("genzo: no Genzo server answers at 127.0.0.1:1 ("));
}

TEST_F(CommandsTest, KeyAndTenantOfTheEnvironmentGoWithEveryCall) {
  setenv("GENZO_API_KEY", "gz_secret", /*replace=*/1);
  setenv("GENZO_TENANT", "another", /*replace=*/1);
  Run<LorasCommand>({"loras"});
  unsetenv("GENZO_API_KEY");
  unsetenv("GENZO_TENANT");
  EXPECT_EQ(answers_.api_key, "gz_secret");
  EXPECT_EQ(answers_.tenant, "another");
  Run<LorasCommand>({"loras"});
  EXPECT_EQ(answers_.api_key, "");
  EXPECT_EQ(answers_.tenant, "");
}

}  // namespace
}  // namespace genzo
