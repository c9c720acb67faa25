#include "client/usage_message.h"

#include "client/generate_command.h"
#include "client/jobs_command.h"
#include "gtest/gtest.h"

namespace genzo {
namespace {

// What is said of `genzo WORDS`.
std::string MessageOf(const std::string& words) {
  CLI::App app("", "genzo");
  app.fallthrough();
  const std::string server;
  const GenerateCommand generate(app, server);
  const JobsCommand jobs(app, server);
  app.add_subcommand("complete")->group("");
  try {
    app.parse(words);
  } catch (const CLI::ParseError& error) {
    return UsageMessage(&app, error);
  }
  return "";
}

TEST(UsageMessageTest, NamesTheCommandsWhereThereIsNoSuchOne) {
  EXPECT_EQ(MessageOf("paint fox"),
            "genzo: \"paint\" is no command: generate, jobs, watch, cancel\n"
            "`genzo --help` tells more\n");
}

TEST(UsageMessageTest, TellsThatAPromptIsOneWord) {
  EXPECT_EQ(MessageOf("generate a red fox"),
            "genzo: \"red\" is one word too many; a prompt of several words "
            "stands in quotes\n`genzo generate --help` tells more\n");
  EXPECT_EQ(MessageOf("watch a b"),
            "genzo: \"b\" is one word too many\n"
            "`genzo watch --help` tells more\n");
}

TEST(UsageMessageTest, NamesAnOptionThatIsNone) {
  EXPECT_EQ(MessageOf("generate fox --size 8"),
            "genzo: genzo generate has no option \"--size\"\n"
            "`genzo generate --help` tells more\n");
}

TEST(UsageMessageTest, PassesOnWhatIsWrongWithAValue) {
  EXPECT_EQ(MessageOf("watch"),
            "genzo: id is required\n`genzo watch --help` tells more\n");
  EXPECT_EQ(MessageOf("generate fox --sampler magic"),
            "genzo: --sampler: \"magic\" is no sampler that is known\n"
            "`genzo generate --help` tells more\n");
}

TEST(UsageMessageTest, SaysNoControlCharactersAgain) {
  EXPECT_EQ(MessageOf("\x1b[2J").find('\x1b'), std::string::npos);
}

}  // namespace
}  // namespace genzo
