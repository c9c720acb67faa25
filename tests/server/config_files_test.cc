#include "server/config_files.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/testing/test_folder.h"

namespace genzo {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

TEST(MissingFilesTest, NamesFieldAndPath) {
  const TestFolder folder;
  Config config;
  config.models = {{.id = "a", .path = folder.path()},
                   {.id = "b", .path = "/no/b", .parts = {{"vae", "/no/v"}}}};
  config.scorers = {{.id = "s", .path = "/no/clip"}};
  config.safety.checker = "/no/checker";
  config.webhooks.ca_file = "/no/ca.pem";
  EXPECT_THAT(MissingFiles(config),
              ElementsAre("models[1].path /no/b is not there",
                          "models[1].parts.vae /no/v is not there",
                          "scorers[0].path /no/clip is not there",
                          "safety.checker /no/checker is not there",
                          "webhooks.ca_file /no/ca.pem is not there"));
}

TEST(MissingFilesTest, FoldersMayComeLater) {
  const TestFolder folder;
  Config config;
  config.models_folder = "/no/models";
  config.loras = {folder.path(), "/no/loras"};
  EXPECT_THAT(MissingFiles(config), IsEmpty());
  EXPECT_THAT(MissingFolders(config),
              ElementsAre("models_folder /no/models is not there",
                          "loras[1] /no/loras is not there"));
}

TEST(MissingFilesTest, WhatIsNotConfiguredIsNotMissed) {
  EXPECT_THAT(MissingFiles(Config()), IsEmpty());
  EXPECT_THAT(MissingFolders(Config()), IsEmpty());
}

}  // namespace
}  // namespace genzo
