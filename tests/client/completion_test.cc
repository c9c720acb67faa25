#include <chrono>
#include <utility>

#include "client/completion_command.h"
#include "client/completions.h"
#include "client/generate_command.h"
#include "client/jobs_command.h"
#include "client/models_command.h"
#include "tests/client/fake_server.h"

namespace genzo {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::Pair;

// genzo's app, with a server that says what it was asked.
class CompletionTest : public ::testing::Test {
 protected:
  CompletionTest() {
    app_.fallthrough();
    app_.add_option("--server", server_);
  }

  std::vector<std::string> After(std::vector<std::string> words) {
    words.insert(words.begin(), "genzo");
    asked_.clear();
    return Completions(app_, words, server_,
                       [&](const std::string& server, NameKind kind) {
                         asked_.emplace_back(server, kind);
                         return std::vector<std::string>{"ab", "ac", "b"};
                       });
  }

  std::string server_ = "home";
  CLI::App app_{"", "genzo"};
  const GenerateCommand generate_{app_, server_};
  const ModelsCommand models_{app_, server_};
  const JobsCommand jobs_{app_, server_};
  const CompletionCommand completion_{app_, server_};
  std::vector<std::pair<std::string, NameKind>> asked_;
};

TEST_F(CompletionTest, KnowsCommandsAndOptions) {
  EXPECT_THAT(After({""}), ElementsAre("cancel", "completion", "generate",
                                       "jobs", "models", "watch"));
  EXPECT_THAT(After({"mo"}), ElementsAre("models"));
  EXPECT_THAT(After({"models", "l"}), ElementsAre("load"));
  EXPECT_THAT(After({"--server", "jobs", "models", ""}),
              ElementsAre("drain", "load", "unload"));
  EXPECT_THAT(After({"--server=x", "models", "l"}), ElementsAre("load"));
  EXPECT_THAT(After({"jobs", "--js"}), ElementsAre("--json"));
  EXPECT_THAT(After({"jobs", "--serv"}), ElementsAre("--server"));
  EXPECT_THAT(After({"models", "load", "--"}),
              ElementsAre("--help", "--json", "--pin", "--server"));
  EXPECT_THAT(After({"models", "load", "-h"}), ElementsAre("-h"));
  EXPECT_THAT(After({"--server", ""}), IsEmpty());
  EXPECT_THAT(asked_, IsEmpty());
}

TEST_F(CompletionTest, KnowsValuesThatAreChosen) {
  EXPECT_THAT(After({"completion", "b"}), ElementsAre("bash"));
  EXPECT_THAT(After({"jobs", "--json", "--state", "r"}),
              ElementsAre("running"));
  EXPECT_THAT(After({"jobs", "--state=r"}), ElementsAre("--state=running"));
  EXPECT_THAT(After({"jobs", "--state", "failed,r"}),
              ElementsAre("failed,running"));
  EXPECT_THAT(After({"generate", "x", "--sampler", "euler"}),
              ElementsAre("euler", "euler_ancestral"));
  EXPECT_THAT(After({"generate", "--schedule", "kar"}), ElementsAre("karras"));
  EXPECT_THAT(After({"generate", "--hires-sampler", "dd"}),
              ElementsAre("ddim", "ddpm"));
  EXPECT_THAT(asked_, IsEmpty());
}

TEST_F(CompletionTest, AsksTheServerForWhatItAloneKnows) {
  for (const auto& [words, kind] :
       {std::pair(std::vector<std::string>{"generate", "-m", "a"},
                  NameKind::kModel),
        std::pair(std::vector<std::string>{"generate", "x", "--lora", "a"},
                  NameKind::kLora),
        std::pair(std::vector<std::string>{"generate", "--upscaler", "a"},
                  NameKind::kUpscaler),
        std::pair(std::vector<std::string>{"generate", "--scorer", "a"},
                  NameKind::kScorer),
        std::pair(std::vector<std::string>{"watch", "a"}, NameKind::kJob),
        std::pair(std::vector<std::string>{"cancel", "a"}, NameKind::kLiveJob),
        std::pair(std::vector<std::string>{"models", "unload", "a"},
                  NameKind::kModel)}) {
    EXPECT_THAT(After(words), ElementsAre("ab", "ac")) << words.front();
    EXPECT_THAT(asked_, ElementsAre(Pair("home", kind))) << words.front();
  }
  EXPECT_THAT(After({"generate", "--hires-upscaler", ""}),
              ElementsAre("ab", "ac", "b", "latent", "latent-bicubic",
                          "latent-nearest"));
}

TEST_F(CompletionTest, AsksTheServerOfTheLine) {
  After({"--server", "there:1", "watch", ""});
  EXPECT_THAT(asked_, ElementsAre(Pair("there:1", NameKind::kJob)));
  After({"watch", "--server=there:2", ""});
  EXPECT_THAT(asked_, ElementsAre(Pair("there:2", NameKind::kJob)));
}

TEST_F(CompletionTest, AsksNothingWhereAnIdIsThere) {
  EXPECT_THAT(After({"watch", "a", ""}), IsEmpty());
  EXPECT_THAT(asked_, IsEmpty());
}

TEST(ServedNamesTest, AreThoseOfEachKind) {
  FakeServer server;
  Answers& answers = server.answers;
  answers.model_pages.emplace_back().add_models()->set_id("emaki");
  answers.lora_pages.emplace_back().add_loras()->set_name("v1:ink");
  answers.job_pages.resize(2);
  answers.job_pages[0].add_jobs()->set_id("1f");
  answers.job_pages[1].add_jobs()->set_id("2f");
  answers.upscalers.add_upscalers()->set_name("lanczos");
  answers.scorers.add_scorers()->set_name("clip");
  const auto names = [&](NameKind kind) {
    return ServedNames(server.address(), kind, std::chrono::seconds(10));
  };
  EXPECT_THAT(names(NameKind::kModel), ElementsAre("emaki"));
  EXPECT_THAT(names(NameKind::kLora), ElementsAre("v1\\:ink"));
  EXPECT_THAT(names(NameKind::kJob), ElementsAre("1f"));
  EXPECT_THAT(names(NameKind::kLiveJob), ElementsAre("2f"));
  EXPECT_THAT(names(NameKind::kUpscaler), ElementsAre("lanczos"));
  EXPECT_THAT(names(NameKind::kScorer), ElementsAre("clip"));
  EXPECT_THAT(answers.asked[2], Not(HasSubstr("states")));
  EXPECT_THAT(answers.asked[3], HasSubstr("JOB_STATE_RUNNING"));
}

TEST(ServedNamesTest, AreNoneWhereTheServerIsAwayOrRefuses) {
  EXPECT_THAT(ServedNames("127.0.0.1:1", NameKind::kJob), IsEmpty());
  EXPECT_THAT(ServedNames("", NameKind::kJob), IsEmpty());
  FakeServer server;
  server.answers.job_pages.emplace_back().add_jobs()->set_id("1f");
  server.answers.status = grpc::Status(grpc::StatusCode::UNAUTHENTICATED, "no");
  EXPECT_THAT(
      ServedNames(server.address(), NameKind::kJob, std::chrono::seconds(10)),
      IsEmpty());
}

// What `genzo complete` prints for a line that the shell keeps `kept` of.
std::string Completed(const std::string& line, const std::string& kept = "") {
  CLI::App app("", "genzo");
  app.fallthrough();
  std::string server;
  app.add_option("--server", server);
  const GenerateCommand generate(app, server);
  const JobsCommand jobs(app, server);
  const CompletionCommand completion(app, server);
  std::vector<std::string> words = {line, "--line", "complete"};
  if (!kept.empty()) words.insert(words.begin(), {kept, "--kept"});
  app.parse(words);
  ::testing::internal::CaptureStdout();
  EXPECT_EQ(completion.Run(), kExitOk);
  return ::testing::internal::GetCapturedStdout();
}

TEST(CompletionCommandTest, ReadsAWholeLine) {
  EXPECT_THAT(Completed("genzo --server 127.0.0.1:1 jobs --state "),
              HasSubstr("queued\nrunning\n"));
}

TEST(CompletionCommandTest, ReadsALineAsAShellDoes) {
  EXPECT_EQ(Completed(R"(genzo jobs  --s\tate r\u)"), "running\n");
  EXPECT_EQ(Completed(R"(genzo jobs '--state' "ru)"), "running\n");
  EXPECT_EQ(Completed(R"(genzo --server 'a b' jobs --st"at"e 'ru)"),
            "running\n");
  EXPECT_EQ(Completed(R"(genzo generate a\ fox --schedule kar)"), "karras\n");
  EXPECT_EQ(Completed(R"(genzo generate "a \" fox" --schedule kar)"),
            "karras\n");
  EXPECT_EQ(Completed(R"(genzo jobs --state "r\u)"), "");
  EXPECT_EQ(Completed(R"(genzo jobs --state 'r\u)"), "");
}

TEST(CompletionCommandTest, LeavesOutWhatTheShellKeeps) {
  EXPECT_EQ(Completed("genzo jobs --state=ru", "genzo jobs --state="),
            "running\n");
  EXPECT_EQ(Completed("genzo jobs --state ru", "genzo jobs --state "),
            "running\n");
  EXPECT_EQ(Completed("genzo jobs --state \"ru", "genzo jobs --state \""),
            "running\n");
}

}  // namespace
}  // namespace genzo
