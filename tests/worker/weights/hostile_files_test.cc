// Files that somebody broke or made to break us: any status is right, and what
// opens must be readable to the last byte.

#include <filesystem>
#include <random>

#include "tests/testing/matchers.h"
#include "tests/testing/test_folder.h"
#include "tests/worker/weights/tensor_files.h"
#include "worker/weights/safetensors.h"

namespace genzo {
namespace {

std::string Sound() {
  return FloatFile({{"a.weight", {1, 2, 3}},
                    {"b.weight", std::vector<float>(100, 0.5f)},
                    {"b.bias", {}},
                    {"c.weight", {4}}});
}

size_t HeaderBytes(const std::string& file) {
  return 8 + static_cast<unsigned char>(file[0]) +
         256 * static_cast<unsigned char>(file[1]);
}

absl::Status Parse(const std::string& file) {
  return ParseSafetensorsHeader(file, file.size()).status();
}

// Every promise of ParseSafetensorsHeader about the entries of `file`.
void ExpectSound(const std::string& file) {
  const auto entries = ParseSafetensorsHeader(file, file.size());
  if (!entries.ok()) {
    EXPECT_EQ(entries.status().code(), kInvalid);
    return;
  }
  size_t bytes = 0;
  for (const auto& [name, entry] : entries->entries) {
    int64_t elements = 1;
    for (int64_t size : entry.shape) elements *= size;
    EXPECT_EQ(entry.elements(), elements) << name;
    EXPECT_LE(entry.begin_bytes + entry.size_bytes, file.size());
    bytes += entry.size_bytes;
  }
  EXPECT_LE(bytes, file.size() - 8);
}

TEST(HostileFilesTest, EveryTruncationIsRefused) {
  const TestFolder folder;
  const std::string sound = Sound();
  const std::string path = folder.Write("x", sound);
  ASSERT_THAT(SafetensorsFile::Open(path), IsOk());
  for (size_t size = sound.size(); size-- > 0;) {
    std::filesystem::resize_file(path, size);
    EXPECT_THAT(SafetensorsFile::Open(path), StatusIs(kInvalid, path)) << size;
  }
}

TEST(HostileFilesTest, AnythingBehindTheLastTensorIsRefused) {
  EXPECT_THAT(Parse(Sound() + '\0'), StatusIs(kInvalid, "tensors end at"));
}

TEST(HostileFilesTest, FlippedBitsNeverLeadOutside) {
  const std::string sound = Sound();
  std::mt19937 random(/*seed=*/1169);
  for (int i = 0; i < 4000; ++i) {
    std::string file = sound;
    for (uint32_t flips = 1 + random() % 4; flips > 0; --flips) {
      const size_t byte = random() % HeaderBytes(sound);
      file[byte] = static_cast<char>(file[byte] ^ (1 << random() % 8));
    }
    ExpectSound(file);
  }
}

TEST(HostileFilesTest, DigitsOfTheHeaderNeverLeadOutside) {
  const std::string sound = Sound();
  std::mt19937 random(/*seed=*/7);
  for (int i = 0; i < 4000; ++i) {
    std::string file = sound;
    for (size_t byte = 8; byte < HeaderBytes(sound); ++byte) {
      const bool digit = file[byte] >= '0' && file[byte] <= '9';
      if (digit && random() % 8 == 0) {
        file[byte] = static_cast<char>('0' + random() % 10);
      }
    }
    ExpectSound(file);
  }
}

TEST(HostileFilesTest, AbsurdHeaderLengthsAreRefused) {
  for (const uint64_t length :
       {uint64_t{1} << 63, ~uint64_t{0}, ~uint64_t{0} - 7, uint64_t{1} << 40,
        uint64_t{16} << 20}) {
    std::string file = Sound();
    for (int i = 0; i < 8; ++i) {
      file[i] = static_cast<char>(length >> (8 * i));
    }
    EXPECT_THAT(Parse(file),
                StatusIs(kInvalid, absl::StrCat("a header of ", length)));
  }
}

TEST(HostileFilesTest, ShapesThatOverflowAreRefused) {
  for (const char* shape :
       {"[4294967296,4294967296]", "[9223372036854775807,2]",
        "[18446744073709551615]", "[2147483648,2147483648,2]"}) {
    EXPECT_THAT(
        Parse(TensorFile(absl::StrCat(R"({"a":{"dtype":"F64","shape":)", shape,
                                      R"(,"data_offsets":[0,0]}})"),
                         0)),
        StatusIs(kInvalid, "more than 2^63"))
        << shape;
  }
}

TEST(HostileFilesTest, AMillionTensorsAreRefused) {
  const auto header = [](int count) {
    std::string text = "{";
    for (int i = 0; i < count; ++i) {
      absl::StrAppend(&text, i == 0 ? "\"" : ",\"", i,
                      R"(":{"dtype":"U8","shape":[0],"data_offsets":[0,0]})");
    }
    return TensorFile(text + "}", 0);
  };
  EXPECT_THAT(Parse(header(1'000'000)), StatusIs(kInvalid, "the limit is"));
  EXPECT_THAT(Parse(header(65'537)),
              StatusIs(kInvalid, "65537 tensors, the limit is 65536"));
}

TEST(HostileFilesTest, NamesAreShortInMessages) {
  const std::string header = "{\"" + std::string(5'000'000, 'n') + "\":5}";
  const absl::Status status = Parse(TensorFile(header, 0));
  EXPECT_THAT(status, StatusIs(kInvalid, "nnn...\" is not"));
  EXPECT_LT(status.message().size(), 500u);
}

TEST(HostileFilesTest, DeepHeadersAreRefused) {
  const std::string deep(4'000'000, '[');
  EXPECT_THAT(Parse(TensorFile("{\"a\":" + deep, 0)),
              StatusIs(kInvalid, "the header: is nested deeper than 64"));
}

}  // namespace
}  // namespace genzo
