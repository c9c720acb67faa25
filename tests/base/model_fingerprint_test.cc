#include "base/model_fingerprint.h"

#include <chrono>
#include <filesystem>

#include "gtest/gtest.h"
#include "tests/testing/test_folder.h"

namespace genzo {
namespace {

namespace fs = std::filesystem;

class ModelFingerprintTest : public ::testing::Test {
 protected:
  ModelFingerprintTest() { folder_.Write("model/unet/weights", "abc"); }

  std::string Now() const { return ModelFingerprint(files_); }

  const TestFolder folder_;
  ModelFiles files_{folder_.path() + "/model"};
};

TEST_F(ModelFingerprintTest, StaysWhileNobodyTouchesTheFiles) {
  EXPECT_EQ(Now(), Now());
  EXPECT_EQ(Now().size(), 64u);
}

TEST_F(ModelFingerprintTest, SeesAFileThatGrew) {
  const std::string before = Now();
  const std::string path = folder_.path() + "/model/unet/weights";
  const auto time = fs::last_write_time(path);
  folder_.Write("model/unet/weights", "abcd");
  fs::last_write_time(path, time);
  EXPECT_NE(Now(), before);
}

TEST_F(ModelFingerprintTest, SeesAFileThatWasWrittenAgain) {
  const std::string before = Now();
  const std::string path = folder_.path() + "/model/unet/weights";
  fs::last_write_time(path,
                      fs::last_write_time(path) + std::chrono::seconds(1));
  EXPECT_NE(Now(), before);
}

TEST_F(ModelFingerprintTest, SeesFilesThatComeAndGoDeepInside) {
  const std::string before = Now();
  folder_.Write("model/vae/deeper/config.json", "");
  EXPECT_NE(Now(), before);
  fs::remove_all(folder_.path() + "/model/vae");
  EXPECT_EQ(Now(), before) << "empty folders do not count";
}

TEST_F(ModelFingerprintTest, SeesPartsFromElsewhere) {
  const std::string before = Now();
  files_.parts["vae"] = folder_.Write("other.safetensors", "x");
  const std::string with_part = Now();
  EXPECT_NE(with_part, before);
  folder_.Write("other.safetensors", "xy");
  EXPECT_NE(Now(), with_part);
}

TEST_F(ModelFingerprintTest, SeesTheConfigurationBesideAFile) {
  const std::string before = Now();
  folder_.Write("a.config/model_index.json", "{}");
  files_.config = folder_.path() + "/a.config";
  EXPECT_NE(Now(), before);
}

// Which of them the file takes follows from what is in it.
TEST_F(ModelFingerprintTest, SeesFoldersOfFamiliesBesideAFile) {
  files_ = ModelFiles(folder_.Write("flux.safetensors", "x"));
  const std::string before = Now();
  folder_.Write("flux.config/vae/config.json", "{}");
  EXPECT_NE(Now(), before);
  files_.config = folder_.path() + "/other";
  const std::string with_another = Now();
  folder_.Write("flux.config/vae/config.json", "{ }");
  EXPECT_NE(Now(), with_another) << "it has what the named one lacks";
}

TEST_F(ModelFingerprintTest, WhatIsNotThereHasOneToo) {
  const ModelFiles gone(folder_.path() + "/gone");
  EXPECT_EQ(ModelFingerprint(gone), ModelFingerprint(gone));
  EXPECT_NE(ModelFingerprint(gone), Now());
}

TEST_F(ModelFingerprintTest, FollowsLinksToFiles) {
  folder_.Write("blob", "weights");
  fs::create_symlink(folder_.path() + "/blob",
                     folder_.path() + "/model/linked");
  const std::string before = Now();
  folder_.Write("blob", "other weights");
  EXPECT_NE(Now(), before);
}

}  // namespace
}  // namespace genzo
