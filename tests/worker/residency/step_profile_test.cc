#include "worker/residency/step_profile.h"

#include <sys/stat.h>

#include <filesystem>

#include "tests/testing/matchers.h"
#include "tests/testing/test_folder.h"
#include "worker/kernels/row_bits.h"

namespace genzo {
namespace {

TEST(StepProfileTest, KnowsHowManyRowsFit) {
  const StepProfile profile = {.costs = StepCosts({{1, absl::Milliseconds(1)},
                                                   {8, absl::Milliseconds(2)}}),
                               .activation_bytes = 800,
                               .decode = absl::ZeroDuration()};
  EXPECT_EQ(RowsThatFit(profile, /*area=*/1, /*bytes=*/350), 3);
  EXPECT_EQ(RowsThatFit(profile, /*area=*/0.25, /*bytes=*/350), 14);
  EXPECT_EQ(RowsThatFit(profile, /*area=*/16, /*bytes=*/350), 1);
  EXPECT_EQ(RowsThatFit(profile, /*area=*/1, /*bytes=*/-9), 1);
}

TEST(StepProfileTest, APictureIsDecodedBesideTheSteps) {
  const StepProfile profile = {.costs = StepCosts({{8, absl::Milliseconds(2)}}),
                               .activation_bytes = 800,
                               .decode_bytes = 50};
  EXPECT_EQ(BytesOf(profile, /*area=*/1, /*rows=*/2), 250);
  EXPECT_EQ(BytesOf(profile, /*area=*/4, /*rows=*/2), 1000);
  EXPECT_EQ(RowsThatFit(profile, /*area=*/1, /*bytes=*/349), 2);
  EXPECT_EQ(RowsThatFit(profile, /*area=*/1, /*bytes=*/350), 3);
}

TEST(StepProfileTest, HalfTheMemoryIsForPicturesThatAreDecodedTogether) {
  const StepProfile profile = {.costs = StepCosts({{8, absl::Milliseconds(2)}}),
                               .decode_bytes = 50};
  EXPECT_EQ(PicturesThatFit(profile, /*area=*/1, /*bytes=*/400), 4);
  EXPECT_EQ(PicturesThatFit(profile, /*area=*/4, /*bytes=*/400), 1);
  EXPECT_EQ(PicturesThatFit(profile, /*area=*/16, /*bytes=*/400), 1);
}

TEST(StepProfileTest, KeepsWhatWasFoundOutAboutLayers) {
  const TestFolder folder;
  const ProfileStore store(folder.path());
  const LayerKey layer = {-1, 1024, 256};
  SetKeepsRowBits(layer, false);
  store.Write("tiny", "key", {.costs = StepCosts({{1, absl::Seconds(1)}})});
  SetKeepsRowBits(layer, true);
  StepProfile read;
  EXPECT_FALSE(store.Read("tiny", "other key", read));
  EXPECT_EQ(KeepsRowBits(layer), true);
  ASSERT_TRUE(store.Read("tiny", "key", read));
  EXPECT_EQ(KeepsRowBits(layer), false);
}

TEST(StepProfileTest, CountsForTheThreadsThatItWasMeasuredWith) {
  const TestFolder folder;
  const ProfileStore store(folder.path());
  const StepProfile measured = {
      .costs = StepCosts({{1, absl::Milliseconds(1)}}),
      .decode = absl::Milliseconds(1),
      .decode_bytes = 7,
      .rows_independent = true};
  const auto key = [](int threads) {
    return ProfileKey(TinyModelFolder(), Placement(), threads);
  };
  store.Write("tiny", key(2), measured);
  StepProfile read;
  EXPECT_FALSE(store.Read("tiny", key(1), read));
  ASSERT_TRUE(store.Read("tiny", key(2), read));
  EXPECT_TRUE(read.rows_independent);
  EXPECT_EQ(read.decode_bytes, 7);
}

TEST(StepProfileTest, ReproducibleRowsAreThoseThatPayAndFit) {
  const StepProfile profile = {
      .costs = StepCosts({{1, absl::Milliseconds(10)},
                          {2, absl::Milliseconds(11)},
                          {4, absl::Milliseconds(13)},
                          {8, absl::Milliseconds(26)}}),
      .activation_bytes = 800,
      .decode = absl::ZeroDuration()};
  EXPECT_EQ(ReproducibleRows(profile, /*area=*/1, /*bytes=*/9000, 16), 4);
  EXPECT_EQ(ReproducibleRows(profile, /*area=*/1, /*bytes=*/300, 16), 3);
  EXPECT_EQ(ReproducibleRows(profile, /*area=*/1, /*bytes=*/0, 16), 2)
      << "a guided image is evaluated or refused";
  EXPECT_EQ(ReproducibleRows(profile, /*area=*/0.25, /*bytes=*/9000, 8), 8);
}

class ProfileStoreTest : public ::testing::Test {
 protected:
  std::string path() const { return folder_.path() + "/tiny.json"; }
  bool Reads() const {
    StepProfile profile;
    return store_.Read("tiny", "key", profile);
  }
  void Write() const {
    store_.Write("tiny", "key",
                 {.costs = StepCosts({{1, absl::Milliseconds(1)}}),
                  .decode = absl::Milliseconds(1)});
  }

  const TestFolder folder_;
  const ProfileStore store_{folder_.path()};
};

TEST_F(ProfileStoreTest, ReadsWhatItWrote) {
  EXPECT_FALSE(Reads());
  Write();
  EXPECT_TRUE(Reads());
}

TEST_F(ProfileStoreTest, APipeIsNotWaitedForButReplaced) {
  ASSERT_EQ(mkfifo(path().c_str(), 0600), 0);
  EXPECT_FALSE(Reads());
  Write();
  EXPECT_TRUE(Reads());
}

TEST_F(ProfileStoreTest, ADeviceIsNotReadToItsEnd) {
  std::filesystem::create_symlink("/dev/zero", path());
  EXPECT_FALSE(Reads());
}

TEST_F(ProfileStoreTest, AHugeFileIsNoProfile) {
  folder_.Write("tiny.json", "{}");
  std::filesystem::resize_file(path(), uintmax_t{1} << 40);
  EXPECT_FALSE(Reads());
}

TEST_F(ProfileStoreTest, NonsenseIsForgiven) {
  for (const char* text : {"", "[]", "{", R"({"key": "key"})",
                           R"({"key": "key", "step_seconds": {"x": 1}})"}) {
    folder_.Write("tiny.json", text);
    EXPECT_FALSE(Reads()) << text;
  }
}

TEST(StepProfileTest, FilesThatAreNoProfilesAreForgiven) {
  const TestFolder folder;
  const ProfileStore store(folder.path());
  StepProfile read;
  const std::string deep = std::string(300'000, '[');
  for (const std::string& text :
       {std::string("garbage"), std::string("[]"), std::string(R"({"key": 5})"),
        std::string(R"({"key": "k"})"), "{\"key\":" + deep,
        std::string(2 << 20, ' ')}) {
    folder.Write("tiny.json", text);
    EXPECT_FALSE(store.Read("tiny", "k", read)) << text.substr(0, 20);
  }
  ASSERT_EQ(mkfifo((folder.path() + "/pipe.json").c_str(), 0600), 0);
  EXPECT_FALSE(store.Read("pipe", "k", read));
}

}  // namespace
}  // namespace genzo
