// The scripts of `genzo completion` in the shells themselves, where they are,
// with a program that says what names there are.

#include <sys/stat.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>

#include "client/completion_command.h"
#include "gmock/gmock.h"
#include "tests/testing/test_folder.h"

namespace genzo {
namespace {

using ::testing::HasSubstr;

// Names that shells read as more than text unless they are quoted.
constexpr const char* kNames[] = {
    "ink",    "v1\\:ink", "a b", "$(touch made)", "`touch made`", "*",
    "a'b\"c", ";exit 3",  "~",   "$HOME"};

std::string ScriptOf(const char* shell) {
  CLI::App app("", "genzo");
  const std::string server;
  const CompletionCommand completion(app, server);
  app.parse(std::vector<std::string>{shell, "completion"});
  ::testing::internal::CaptureStdout();
  completion.Run();
  return ::testing::internal::GetCapturedStdout();
}

TEST(CompletionScriptTest, AsksTheProgram) {
  for (const char* shell : {"bash", "zsh", "fish"}) {
    EXPECT_THAT(ScriptOf(shell), HasSubstr(" complete --")) << shell;
  }
}

class ScriptTest : public ::testing::Test {
 protected:
  // `run` is the shell's, which completes what is in the file "line".
  void Use(const std::string& shell, const std::string& needed,
           const std::string& run) {
    const std::string works = shell + " -c '" + needed + "' 2>/dev/null";
    if (std::system(works.c_str()) != 0) GTEST_SKIP() << "no " << shell;
    shell_ = shell;
    folder_.Write("script", ScriptOf(shell.c_str()));
    folder_.Write("run", run);
    folder_.Write("picture.png", "");
    const std::string program = folder_.Write("genzo", R"(#!/bin/sh
printf '<%s>' "$@" > asked
cat names
)");
    ASSERT_EQ(chmod(program.c_str(), 0700), 0);
  }

  // What `run` prints of `line`, at whose end the cursor is.
  std::string Complete(const std::string& line, const std::string& names) {
    folder_.Write("line", line);
    folder_.Write("names", names);
    folder_.Write("asked", "");
    // In a home of its own, where no settings are.
    const std::string command = "cd '" + folder_.path() +
                                "' && HOME=$PWD XDG_CONFIG_HOME=$PWD " +
                                shell_ + " ./run 2>&1 </dev/null";
    FILE* const pipe = popen(command.c_str(), "r");
    std::string out;
    for (int c = 0; (c = fgetc(pipe)) != EOF;) out += static_cast<char>(c);
    EXPECT_EQ(pclose(pipe), 0) << out;
    return out;
  }

  std::string Asked() const { return ReadFile(folder_.path() + "/asked"); }
  bool IsThere(const std::string& name) const {
    return access((folder_.path() + "/" + name).c_str(), F_OK) == 0;
  }

  const TestFolder folder_;

 private:
  std::string shell_;
};

// It prints the words that bash reads once "text", the end of the line, is
// completed.
class BashTest : public ScriptTest {
 protected:
  void SetUp() override {
    Use("bash", "exit 0", R"sh(source ./script
COMP_WORDS=(./genzo)
COMP_LINE=$(<line)
COMP_POINT=${#COMP_LINE}
_genzo genzo "$(<text)"
for reply in "${COMPREPLY[@]}"; do
  eval "words=($reply)"
  printf '<%s>' "${words[@]}"
done
)sh");
  }

  std::string Complete(const std::string& line, const std::string& text,
                       const std::string& names) {
    folder_.Write("text", text);
    return ScriptTest::Complete(line, names);
  }
};

TEST_F(BashTest, NamesReachTheProgramAsTheyAre) {
  EXPECT_EQ(Complete("genzo generate -m a", "a",
                     "v1\\:ink\na b\n$(touch made)\n`touch made`\n*\n"
                     "a'b\"c\n;exit 3\n~\n"),
            "<v1\\:ink><a b><$(touch made)><`touch made`><*>"
            "<a'b\"c><;exit 3><~>");
  EXPECT_FALSE(IsThere("made"));
}

TEST_F(BashTest, TellsWhatItKeepsOfTheLine) {
  EXPECT_EQ(Complete(R"(genzo generate --lora v1\\:i)", "i", "ink\n"), "<ink>");
  EXPECT_EQ(Asked(), R"(<complete><--line><genzo generate --lora v1\\:i>)"
                     R"(<--kept><genzo generate --lora v1\\:>)");
}

TEST_F(BashTest, BehindAQuoteAreOnlyNamesThatNeedNone) {
  EXPECT_EQ(Complete("genzo generate -m \"a", "a", "a b\nab\na$(b)\n"), "<ab>");
  EXPECT_EQ(Complete("genzo generate -m 'a", "a", "a'b\nab\n"), "<ab>");
}

// It presses Tab in a terminal and prints the words that zsh then reads.
class ZshTest : public ScriptTest {
 protected:
  void SetUp() override {
    folder_.Write("settings", R"sh(PS1= PS2=
autoload -Uz compinit && compinit -u -D
source ./script
complete_and_tell() {
  zle complete-word
  print -rn -- "$BUFFER" > told
  print -r -- TO''LD
}
zle -N complete_and_tell
bindkey '^I' complete_and_tell
zle-line-init() { print -r -- RE''ADY }
zle -N zle-line-init
)sh");
    Use("zsh", "zmodload zsh/zpty", R"sh(zmodload zsh/zpty
zpty terminal zsh -f -i
zpty -w terminal 'source ./settings'
zpty -r terminal shown '*READY*'
zpty -w -n terminal "$(<line)"$'\t'
zpty -r terminal shown '*TOLD*'
zpty -d terminal
eval "words=($(<told))"
printf '<%s>' "${words[@]}"
)sh");
  }
};

TEST_F(ZshTest, NamesReachTheProgramAsTheyAre) {
  for (const std::string name : kNames) {
    for (const char* quote : {"", "'", "\""}) {
      EXPECT_EQ(Complete(std::string("./genzo generate -m ") + quote, name),
                "<./genzo><generate><-m><" + name + ">");
      EXPECT_EQ(Asked(), "<complete><--><./genzo><generate><-m><>");
    }
  }
  EXPECT_FALSE(IsThere("made"));
}

TEST_F(ZshTest, AsksForWhatWasTyped) {
  for (const auto& [line, typed] :
       {std::pair(R"(./genzo generate 'a fox' -m in)", "<a fox><-m><in>"),
        std::pair(R"(./genzo generate a\ fox -m "in)", "<a fox><-m><in>"),
        std::pair(R"(./genzo generate "a fox" -m 'in)", "<a fox><-m><in>"),
        std::pair(R"(./genzo generate -m a\ b)", "<-m><a b>"),
        std::pair(R"(./genzo generate --lora v1\\:i)", R"(<--lora><v1\:i>)"),
        std::pair("./genzo generate --model=i", "<--model=i>")}) {
    Complete(line, "");
    EXPECT_EQ(Asked(), std::string("<complete><--><./genzo><generate>") + typed)
        << line;
  }
}

TEST_F(ZshTest, WhereThereAreNoNamesThereAreFiles) {
  EXPECT_EQ(Complete("./genzo generate --image pic", ""),
            "<./genzo><generate><--image><picture.png>");
}

// It prints what fish offers, a line a candidate: it is fish that quotes them.
class FishTest : public ScriptTest {
 protected:
  void SetUp() override {
    Use("fish", "exit 0", R"sh(source ./script
complete -C "$(cat line)"
)sh");
  }
};

TEST_F(FishTest, NamesReachTheProgramAsTheyAre) {
  for (const std::string name : kNames) {
    for (const char* quote : {"", "'", "\""}) {
      EXPECT_EQ(Complete(std::string("./genzo generate -m ") + quote, name),
                name + "\n");
      EXPECT_EQ(Asked(), "<complete><--><./genzo><generate><-m><>");
    }
  }
  EXPECT_FALSE(IsThere("made"));
}

TEST_F(FishTest, AsksForWhatWasTyped) {
  for (const auto& [line, typed] :
       {std::pair(R"(./genzo generate 'a fox' -m in)", "<a fox><-m><in>"),
        std::pair(R"(./genzo generate a\ fox -m "in)", "<a fox><-m><in>"),
        std::pair(R"(./genzo generate --lora v1\\:i)", R"(<--lora><v1\:i>)"),
        std::pair("./genzo generate --model=i", "<--model=i>")}) {
    Complete(line, "");
    EXPECT_EQ(Asked(), std::string("<complete><--><./genzo><generate>") + typed)
        << line;
  }
}

TEST_F(FishTest, WhereThereAreNoNamesThereAreFiles) {
  EXPECT_EQ(Complete("./genzo generate --image pic", ""), "picture.png\n");
  EXPECT_EQ(Complete("./genzo generate -m ", "pin\n"), "pin\n");
}

}  // namespace
}  // namespace genzo
