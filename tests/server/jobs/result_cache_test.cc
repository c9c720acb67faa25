#include "server/jobs/result_cache.h"

#include <filesystem>
#include <fstream>

#include "tests/testing/event_record.h"
#include "tests/testing/matchers.h"
#include "tests/testing/test_folder.h"

namespace genzo {
namespace {

using ::testing::HasSubstr;

v1::GenerateRequest Request(uint64_t seed) {
  v1::GenerateRequest request;
  request.set_model("tiny");
  request.set_seed(seed);
  request.set_reproducibility(v1::REPRODUCIBILITY_REPRODUCIBLE);
  return request;
}

std::string KeyOf(const std::string& tenant, uint64_t seed) {
  return ResultCache::KeyOf(tenant, Request(seed), {});
}

std::vector<v1::Image> Images(size_t bytes) {
  v1::Image image;
  image.set_seed(5);
  image.mutable_picture()->set_data(std::string(bytes, 'p'));
  return {image};
}

TEST(ResultCacheKeyTest, StandsForAllThatDecidesAboutPictures) {
  const std::string key = KeyOf("a", 1);
  EXPECT_NE(key, KeyOf("b", 1)) << "another tenant";
  EXPECT_NE(key, KeyOf("a", 2));
  v1::Model model;
  model.set_fingerprint("other files");
  EXPECT_NE(key, ResultCache::KeyOf("a", Request(1), model));
  v1::GenerateRequest same = Request(1);
  same.set_request_id("123e4567-e89b-42d3-a456-426614174000");
  same.set_priority(v1::PRIORITY_HIGH);
  same.mutable_preview()->set_every(1);
  EXPECT_EQ(key, ResultCache::KeyOf("a", same, {}));
}

TEST(ResultCacheKeyTest, IsEmptyWhereBitsAreNotPromised) {
  v1::GenerateRequest request = Request(1);
  request.set_reproducibility(v1::REPRODUCIBILITY_FAST);
  EXPECT_EQ(ResultCache::KeyOf("a", request, {}), "");
  request = Request(1);
  request.set_start_latents("token");
  EXPECT_EQ(ResultCache::KeyOf("a", request, {}), "");
  request = Request(1);
  request.add_loras()->set_name("ink");  // a file that may be changed
  EXPECT_EQ(ResultCache::KeyOf("a", request, {}), "");
  request = Request(1);
  request.mutable_output()->set_upscaler("esrgan");
  EXPECT_EQ(ResultCache::KeyOf("a", request, {}), "");
  request.mutable_output()->set_upscaler("lanczos");  // no file
  EXPECT_NE(ResultCache::KeyOf("a", request, {}), "");
  request.set_prompt_syntax(v1::PROMPT_SYNTAX_WEIGHTED);
  EXPECT_NE(ResultCache::KeyOf("a", request, {}), "");
  v1::Model model;
  model.add_embeddings()->set_name("castle");
  EXPECT_EQ(ResultCache::KeyOf("a", request, model), "") << "a word is a file";
}

class ResultCacheTest : public ::testing::Test {
 protected:
  Metrics metrics_;
};

TEST_F(ResultCacheTest, WhatWasAskedForLeastRecentlyGoes) {
  const auto cache = *ResultCache::Open({.bytes = 3000}, metrics_);
  cache->Put(KeyOf("a", 1), Images(1000));
  cache->Put(KeyOf("a", 2), Images(1000));
  EXPECT_TRUE(cache->Find(KeyOf("a", 1)).has_value());
  cache->Put(KeyOf("a", 3), Images(1500));
  EXPECT_TRUE(cache->Find(KeyOf("a", 1)).has_value());
  EXPECT_FALSE(cache->Find(KeyOf("a", 2)).has_value());
  cache->Put(KeyOf("a", 4), Images(4000));
  EXPECT_FALSE(cache->Find(KeyOf("a", 4)).has_value()) << "too large alone";
}

TEST_F(ResultCacheTest, ATenantPushesOutItsOwn) {
  const auto cache =
      *ResultCache::Open({.bytes = 10'000, .tenant_bytes = 2500}, metrics_);
  cache->Put(KeyOf("b", 1), Images(1000));
  for (uint64_t seed : {1, 2, 3}) cache->Put(KeyOf("a", seed), Images(1000));
  EXPECT_FALSE(cache->Find(KeyOf("a", 1)).has_value());
  EXPECT_TRUE(cache->Find(KeyOf("a", 3)).has_value());
  EXPECT_TRUE(cache->Find(KeyOf("b", 1)).has_value());
}

TEST_F(ResultCacheTest, TheNextServerFindsWhatIsInTheFolder) {
  const TestFolder folder;
  const ResultCacheConfig config = {.bytes = 1 << 20, .folder = folder.path()};
  (*ResultCache::Open(config, metrics_))->Put(KeyOf("a", 1), Images(1000));
  const auto cache = *ResultCache::Open(config, metrics_);
  const auto found = cache->Find(KeyOf("a", 1));
  ASSERT_TRUE(found.has_value());
  EXPECT_EQ(found->at(0).seed(), 5u);
  EXPECT_EQ(found->at(0).picture().data(), std::string(1000, 'p'));
}

TEST_F(ResultCacheTest, WhatGoesLeavesTheFolder) {
  const TestFolder folder;
  const ResultCacheConfig config = {.bytes = 1500, .folder = folder.path()};
  auto cache = *ResultCache::Open(config, metrics_);
  cache->Put(KeyOf("a", 1), Images(1000));
  cache->Put(KeyOf("a", 2), Images(1000));
  cache.reset();
  EXPECT_FALSE(std::filesystem::exists(folder.path() + "/" + KeyOf("a", 1)));
  EXPECT_TRUE(std::filesystem::exists(folder.path() + "/" + KeyOf("a", 2)));
}

TEST_F(ResultCacheTest, FilesOfOthersAreLeftAlone) {
  const TestFolder folder;
  const std::string photo = folder.Write("photo.jpg", std::string(5000, 'x'));
  const std::string part = folder.Write("photo.part", "x");
  const ResultCacheConfig config = {.bytes = 1500, .folder = folder.path()};
  auto cache = *ResultCache::Open(config, metrics_);
  cache->Put(KeyOf("a", 1), Images(1000));
  EXPECT_TRUE(cache->Find(KeyOf("a", 1)).has_value());
  cache.reset();
  EXPECT_TRUE(std::filesystem::exists(photo));
  EXPECT_TRUE(std::filesystem::exists(part));
}

TEST_F(ResultCacheTest, CountsHitsAndBytes) {
  const auto cache = *ResultCache::Open({.bytes = 3000}, metrics_);
  cache->Find(KeyOf("a", 1));
  cache->Put(KeyOf("a", 1), Images(1000));
  cache->Find(KeyOf("a", 1));
  const std::string text = metrics_.Text();
  EXPECT_THAT(text, HasSubstr("genzo_result_cache_total{result=\"hit\"} 1"));
  EXPECT_THAT(text, HasSubstr("genzo_result_cache_total{result=\"miss\"} 1"));
  EXPECT_GT(metrics_.result_cache_bytes().Value(), 1000);
}

TEST_F(ResultCacheTest, ADamagedFileIsForgotten) {
  const TestFolder folder;
  const ResultCacheConfig config = {.bytes = 1 << 20, .folder = folder.path()};
  (*ResultCache::Open(config, metrics_))->Put(KeyOf("a", 1), Images(1000));
  folder.Write(KeyOf("a", 1), "rubbish");
  auto cache = *ResultCache::Open(config, metrics_);
  EXPECT_FALSE(cache->Find(KeyOf("a", 1)).has_value());
  cache.reset();
  EXPECT_FALSE(std::filesystem::exists(folder.path() + "/" + KeyOf("a", 1)));
}

TEST_F(ResultCacheTest, AFolderThatIsNoneIsNamed) {
  const TestFolder folder;
  const std::string file = folder.Write("file", "");
  EXPECT_THAT(
      ResultCache::Open({.bytes = 1, .folder = file + "/below"}, metrics_),
      StatusIs(absl::StatusCode::kFailedPrecondition, "result_cache.folder"));
}

TEST_F(ResultCacheTest, KeepsJobsThatEndedWithAllTheirPictures) {
  const auto cache = *ResultCache::Open({.bytes = 1 << 20}, metrics_);
  const auto run = [&](const std::string& key, size_t images) {
    const auto record = std::make_shared<EventRecord>();
    const auto sink = cache->Recording(key, /*count=*/2, record);
    v1::JobEvent event;
    for (size_t i = 0; i < images; ++i) {
      *event.mutable_image() = Images(10)[0];
      sink->Post(event);
    }
    event.mutable_ended();
    sink->Post(event);
    for (size_t i = 0; i < images; ++i) {
      EXPECT_TRUE(record->Take()->has_image()) << "it is passed on";
    }
    EXPECT_TRUE(record->Take()->has_ended());
  };
  run(KeyOf("a", 1), 2);
  run(KeyOf("a", 2), 1);
  EXPECT_EQ(cache->Find(KeyOf("a", 1))->size(), 2u);
  EXPECT_FALSE(cache->Find(KeyOf("a", 2)).has_value());
}

}  // namespace
}  // namespace genzo
