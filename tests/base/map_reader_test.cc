#include "base/map_reader.h"

#include "tests/testing/matchers.h"

namespace genzo {
namespace {

// What became of reading `yaml`, a map at path "part", with `read`.
template <typename Read>
absl::Status Reading(const std::string& yaml, Read read) {
  absl::Status status;
  {
    MapReader map(YAML::Load(yaml), "part", status);
    read(map);
  }
  return status;
}

TEST(MapReaderTest, KeepsTheDefaultWhereAKeyIsNotThere) {
  int number = 7;
  std::string text = "as it was";
  bool flag = true;
  EXPECT_THAT(Reading("{}",
                      [&](MapReader& map) {
                        map.Read("number", 0, 9, number);
                        map.Read("text", text);
                        map.Read("flag", flag);
                      }),
              IsOk());
  EXPECT_EQ(number, 7);
  EXPECT_EQ(text, "as it was");
  EXPECT_TRUE(flag);
}

TEST(MapReaderTest, KeepsTheDefaultWhereAValueIsRefused) {
  int number = 7;
  EXPECT_THAT(
      Reading("{number: 10}",
              [&](MapReader& map) { map.Read("number", 0, 9, number); }),
      StatusIs(kInvalid, "part.number 10 is not between 0 and 9"));
  EXPECT_EQ(number, 7);
}

TEST(MapReaderTest, BoundsBelongToTheRange) {
  for (const char* yaml : {"{number: 0}", "{number: 9}"}) {
    int number = 7;
    EXPECT_THAT(
        Reading(yaml,
                [&](MapReader& map) { map.Read("number", 0, 9, number); }),
        IsOk());
    EXPECT_NE(number, 7);
  }
}

TEST(MapReaderTest, NumbersThatAreTooLongForAnIntAreOutOfRange) {
  int number = 7;
  EXPECT_THAT(
      Reading("{number: 4294967297}",
              [&](MapReader& map) { map.Read("number", 0, 9, number); }),
      StatusIs(kInvalid, "part.number 4294967297 is not between"));
}

TEST(MapReaderTest, AFractionIsNoWholeNumber) {
  int number = 7;
  EXPECT_THAT(
      Reading("{number: 1.5}",
              [&](MapReader& map) { map.Read("number", 0, 9, number); }),
      StatusIs(kInvalid, "part.number is not a whole number"));
}

TEST(MapReaderTest, NotANumberIsInNoRange) {
  double number = 7;
  EXPECT_THAT(
      Reading("{number: .nan}",
              [&](MapReader& map) { map.Read("number", 0.0, 9.0, number); }),
      StatusIs(kInvalid, "part.number nan is not between 0 and 9"));
  EXPECT_EQ(number, 7);
}

TEST(MapReaderTest, AWordIsNeitherTrueNorFalse) {
  bool flag = true;
  EXPECT_THAT(
      Reading("{flag: maybe}", [&](MapReader& map) { map.Read("flag", flag); }),
      StatusIs(kInvalid, "part.flag is neither true nor false"));
}

TEST(MapReaderTest, AnEmptyValueIsAnEmptyString) {
  std::string text = "as it was";
  EXPECT_THAT(
      Reading("{text: }", [&](MapReader& map) { map.Read("text", text); }),
      IsOk());
  EXPECT_EQ(text, "");
}

TEST(MapReaderTest, AListIsNoString) {
  std::string text = "as it was";
  EXPECT_THAT(
      Reading("{text: [a]}", [&](MapReader& map) { map.Read("text", text); }),
      StatusIs(kInvalid, "part.text is not a string"));
  EXPECT_EQ(text, "as it was");
}

TEST(MapReaderTest, UnknownKeysGetTheKnownOnes) {
  int number = 7;
  EXPECT_THAT(Reading("{nummer: 1}",
                      [&](MapReader& map) {
                        map.Read("number", 0, 9, number);
                        map.Child("other");
                      }),
              StatusIs(kInvalid,
                       "unknown key part.nummer; known here: number, "
                       "other"));
}

TEST(MapReaderTest, TheFirstFaultIsTold) {
  bool flag = true;
  int number = 7;
  EXPECT_THAT(Reading("{number: 10, flag: 5, more: 1}",
                      [&](MapReader& map) {
                        map.Read("flag", flag);
                        map.Read("number", 0, 9, number);
                      }),
              StatusIs(kInvalid, "part.flag"));
}

TEST(MapReaderTest, AListIsNoMap) {
  EXPECT_THAT(Reading("[a, b]", [](MapReader&) {}),
              StatusIs(kInvalid, "part is not a map of keys"));
}

TEST(MapReaderTest, NothingIsAnEmptyMap) {
  int number = 7;
  EXPECT_THAT(
      Reading("", [&](MapReader& map) { map.Read("number", 0, 9, number); }),
      IsOk());
  EXPECT_EQ(number, 7);
}

TEST(MapReaderTest, AChoiceNamesTheOthers) {
  std::string value = "a";
  EXPECT_THAT(Reading("{key: c}",
                      [&](MapReader& map) {
                        map.ReadChoice("key", {"a", "b"}, value);
                      }),
              StatusIs(kInvalid, "part.key \"c\" is not one of a, b"));
}

TEST(InFolderTest, RelativePathsStandInTheFolder) {
  EXPECT_EQ(InFolder("/etc/genzo", "a/b"), "/etc/genzo/a/b");
  EXPECT_EQ(InFolder("/etc/genzo", "../a"), "/etc/a");
  EXPECT_EQ(InFolder("", "a"), "a");
}

TEST(InFolderTest, AbsolutePathsStandAlone) {
  EXPECT_EQ(InFolder("/etc/genzo", "/a/./b"), "/a/b");
}

TEST(ReadPathTest, AnEmptyPathIsNotTheFolder) {
  std::string path;
  EXPECT_THAT(
      Reading("{file: \"\"}",
              [&](MapReader& map) { ReadPath(map, "file", "/etc", path); }),
      IsOk());
  EXPECT_EQ(path, "");
}

TEST(ReadSecondsTest, PartsOfASecondAreNoWholeNumber) {
  absl::Duration value = absl::Seconds(3);
  EXPECT_THAT(
      Reading("{wait: 0.5}",
              [&](MapReader& map) { ReadSeconds(map, "wait", 0, 9, value); }),
      StatusIs(kInvalid, "part.wait is not a whole number"));
  EXPECT_EQ(value, absl::Seconds(3));
}

TEST(ReadMegabytesTest, TheLargestSizeIsATerabyte) {
  int64_t bytes = 0;
  EXPECT_THAT(Reading("{mb: 1048576}",
                      [&](MapReader& map) { ReadMegabytes(map, "mb", bytes); }),
              IsOk());
  EXPECT_EQ(bytes, int64_t{1} << 40);
  EXPECT_THAT(
      Reading("{mb: 1048577}",
              [&](MapReader& map) { ReadMegabytes(map, "mb", bytes); }),
      StatusIs(kInvalid, "part.mb 1048577 is not between 1 and 1048576"));
}

}  // namespace
}  // namespace genzo
