#include "worker/text/byte_pair_encoder.h"

#include <sys/stat.h>

#include "tests/testing/matchers.h"
#include "tests/testing/test_folder.h"

namespace genzo {
namespace {

using ::testing::ElementsAre;

constexpr char kVocabulary[] =
    R"({"a": 0, "b": 1, "a</w>": 2, "b</w>": 3, "ab": 4, "ab</w>": 5,
        "aab</w>": 6})";

class BytePairEncoderTest : public ::testing::Test {
 protected:
  absl::StatusOr<BytePairEncoder> Read(const std::string& vocab,
                                       const std::string& merges) const {
    return BytePairEncoder::Read(folder_.Write("vocab.json", vocab),
                                 folder_.Write("merges.txt", merges));
  }

  static std::vector<int64_t> Encode(const BytePairEncoder& encoder,
                                     const std::string& word) {
    std::vector<int64_t> ids;
    encoder.Encode(word, /*unknown_id=*/99, ids);
    return ids;
  }

  const TestFolder folder_;
};

TEST_F(BytePairEncoderTest, MergesTheBestPairFirst) {
  const auto encoder =
      Read(kVocabulary, "#version: 0.2\na b</w>\na ab</w>\na b\n");
  ASSERT_THAT(encoder, IsOk());
  EXPECT_THAT(Encode(*encoder, "ab"), ElementsAre(5));
  EXPECT_THAT(Encode(*encoder, "aab"), ElementsAre(6));
  EXPECT_THAT(Encode(*encoder, "aba"), ElementsAre(4, 2));
  EXPECT_THAT(Encode(*encoder, "a?"), ElementsAre(0, 99));
  EXPECT_EQ(encoder->id_end(), 7);
}

TEST_F(BytePairEncoderTest, ReadsWindowsLineEnds) {
  const auto encoder = Read(kVocabulary, "#version: 0.2\r\na b</w>\r\n\r\n");
  ASSERT_THAT(encoder, IsOk());
  EXPECT_THAT(Encode(*encoder, "ab"), ElementsAre(5));
}

TEST_F(BytePairEncoderTest, RefusesMergesThatAreNone) {
  for (const char* merges : {"", "\n\n", "#version: 0.2\n"}) {
    EXPECT_THAT(Read(kVocabulary, merges),
                StatusIs(kInvalid, "merges.txt: has no pair of tokens"));
  }
  EXPECT_THAT(Read(kVocabulary, "a x\n"),
              StatusIs(kInvalid, "merges.txt: \"a x\" is not a pair"));
  EXPECT_THAT(Read(kVocabulary, "ab\n"), StatusIs(kInvalid, "\"ab\" is not"));
}

TEST_F(BytePairEncoderTest, OneLongLineIsAShortMessage) {
  const auto long_line = Read(kVocabulary, std::string(10'000'000, 'x'));
  EXPECT_THAT(long_line, StatusIs(kInvalid, "xxx...\" is not a pair"));
  EXPECT_LT(long_line.status().message().size(), 400u);
  EXPECT_THAT(Read(kVocabulary, std::string(50'000'000, 'x')),
              StatusIs(kInvalid, "merges.txt: has 50000000 bytes"));
}

TEST_F(BytePairEncoderTest, RefusesIdsThatAreNotOnesOwn) {
  EXPECT_THAT(Read(R"({"a": 0, "b": 0})", "a b\n"),
              StatusIs(kInvalid, "token \"b\" has the id 0 of \"a\""));
  for (const char* id : {"-1", "16777216", "\"0\"", "0.5"}) {
    EXPECT_THAT(Read(std::string(R"({"a": )") + id + "}", "a b\n"),
                StatusIs(kInvalid, "token \"a\" has no id below 2^24"));
  }
}

TEST_F(BytePairEncoderTest, APipeIsRefused) {
  const std::string pipe = folder_.path() + "/pipe";
  ASSERT_EQ(mkfifo(pipe.c_str(), 0600), 0);
  EXPECT_THAT(
      BytePairEncoder::Read(folder_.Write("vocab.json", kVocabulary), pipe),
      StatusIs(kInvalid, "pipe: is not a regular file"));
}

}  // namespace
}  // namespace genzo
