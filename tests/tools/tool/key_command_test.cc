#include "tools/tool/key_command.h"

#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <sstream>
#include <thread>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "tests/testing/matchers.h"
#include "tests/testing/test_folder.h"

namespace genzo {
namespace {

class KeyCommandTest : public ::testing::Test {
 protected:
  // Runs `genzo-tool key` with `line`, in which FILE is the file.
  std::string Run(const std::string& line) {
    CLI::App app;
    std::ostringstream out;
    status_ = absl::OkStatus();
    AddKeyCommand(app, out, status_);
    std::string text = "key " + line;
    const size_t at = text.find("FILE");
    if (at != std::string::npos) text.replace(at, 4, path_);
    app.parse(text);
    return out.str();
  }

  const TestFolder folder_;
  const std::string path_ = folder_.path() + "/keys.json";
  absl::Status status_;
};

TEST_F(KeyCommandTest, MakesAKeyThatTheFileKnows) {
  std::string text = Run(
      "new --file FILE --name bot --tenant discord --scopes jobs,admin "
      "--weight 2 --models emaki,other --max-steps 30 --cost-per-minute 100 "
      "--days 1");
  ASSERT_THAT(status_, IsOk());
  ASSERT_FALSE(text.empty());
  text.pop_back();  // the line's end
  const auto keys = ParseKeys(ReadFile(path_));
  ASSERT_THAT(keys, IsOk());
  const auto grant = KeyTable(*keys).Find(text, absl::Now());
  ASSERT_THAT(grant, IsOk());
  EXPECT_EQ((*grant)->tenant, "discord");
  EXPECT_EQ((*grant)->scopes, (std::set<std::string>{"jobs", "admin"}));
  EXPECT_EQ((*grant)->models, (std::set<std::string>{"emaki", "other"}));
  EXPECT_EQ((*grant)->weight, 2);
  EXPECT_LT((*grant)->expires, absl::Now() + absl::Hours(25));
  struct stat file = {};
  ASSERT_EQ(stat(path_.c_str(), &file), 0);
  EXPECT_EQ(file.st_mode & 0777, 0600u);
}

TEST_F(KeyCommandTest, ListsWithoutSecretsAndRevokes) {
  Run("new --file FILE --name first");
  Run("new --file FILE --name second --tenant b --max-steps 20 --models x,y");
  const std::string list = Run("list --file FILE");
  EXPECT_THAT(list,
              ::testing::HasSubstr("generate,jobs  expires never  first"));
  EXPECT_THAT(list, ::testing::HasSubstr("  b  "));
  EXPECT_THAT(list, ::testing::HasSubstr("second  max_steps 20; models x,y\n"));
  EXPECT_THAT(list, ::testing::StartsWith(absl::StrCat(list.substr(0, 16), "  ",
                                                       list.substr(0, 16))))
      << "a key without a tenant is its own";
  const std::string json = Run("list --json --file FILE");
  EXPECT_THAT(json, ::testing::HasSubstr("\"tenant\": \"b\""));
  EXPECT_THAT(json, ::testing::Not(::testing::HasSubstr("hash")));
  EXPECT_THAT(json, ::testing::Not(::testing::HasSubstr("salt")));
  Run("revoke --file FILE " + list.substr(0, 16));
  EXPECT_THAT(status_, IsOk());
  EXPECT_EQ(ParseKeys(ReadFile(path_))->size(), 1u);
  Run("revoke --file FILE " + list.substr(0, 16));
  EXPECT_THAT(status_, StatusIs(absl::StatusCode::kNotFound, "is not in"));
}

TEST_F(KeyCommandTest, DaysAreOverNothing) {
  for (const char* days : {"0", "-3", "nan"}) {
    EXPECT_THROW(Run(std::string("new --file FILE --days ") + days),
                 CLI::ParseError);
  }
  EXPECT_FALSE(std::filesystem::exists(path_));
}

TEST_F(KeyCommandTest, KeysThatAreMadeAtOnceAreAllKept) {
  std::vector<std::thread> threads;
  for (int i = 0; i < 8; ++i) {
    threads.emplace_back([this] {
      std::ostringstream out;
      EXPECT_THAT(NewKey(path_, {.scopes = {kScopeJobs}}, out), IsOk());
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(ParseKeys(ReadFile(path_))->size(), 8u);
}

TEST_F(KeyCommandTest, ABadGrantMakesNoFile) {
  Run("new --file FILE --scopes paint");
  EXPECT_THAT(status_, StatusIs(absl::StatusCode::kInvalidArgument, "paint"));
  EXPECT_NE(access(path_.c_str(), F_OK), 0);
  Run("list --file FILE");
  EXPECT_THAT(status_, StatusIs(absl::StatusCode::kNotFound, path_));
}

TEST_F(KeyCommandTest, LeavesAFileThatItCannotReadAsItIs) {
  folder_.Write("keys.json", "something else");
  Run("new --file FILE");
  EXPECT_THAT(status_, StatusIs(absl::StatusCode::kInvalidArgument, path_));
  EXPECT_EQ(ReadFile(path_), "something else");
}

}  // namespace
}  // namespace genzo
