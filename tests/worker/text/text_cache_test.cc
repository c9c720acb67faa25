#include "worker/text/text_cache.h"

#include <stdexcept>

#include "ATen/ops/full.h"
#include "tests/testing/tensor_matchers.h"

namespace genzo {
namespace {

using ::testing::ElementsAre;
using ::testing::Pair;

// An encoder that tells by its result what it read.
class TextCacheTest : public ::testing::Test {
 protected:
  static at::Tensor Told(const std::string& text, int64_t clip_skip) {
    const double value = text.empty() ? 0 : text[0] + 1000.0 * clip_skip;
    return at::full({1, 4}, value);
  }

  std::vector<TextEmbedding> Get(TextCache& cache,
                                 const std::vector<EncoderText>& texts,
                                 const void* owner = nullptr) {
    return cache.Get(owner, texts, [this](const auto& strings, int64_t skip) {
      calls_.push_back(strings.size());
      if (fails_) throw std::runtime_error("no encoder");
      at::Tensor states =
          at::full({static_cast<int64_t>(strings.size()), 4}, 0.);
      for (size_t i = 0; i < strings.size(); ++i) {
        states[static_cast<int64_t>(i)].copy_(Told(strings[i], skip)[0]);
      }
      return std::vector<at::Tensor>{states, states * 2};
    });
  }

  static constexpr int64_t kBytes = 2 * 4 * sizeof(float);  // of one text
  std::vector<size_t> calls_;
  bool fails_ = false;
};

TEST_F(TextCacheTest, GivesWhatTheEncoderGivesInOrder) {
  TextCache cache(1 << 20);
  const auto embeddings = Get(cache, {{"a", 0}, {"", 0}, {"a", 1}});
  ASSERT_EQ(embeddings.size(), 3u);
  EXPECT_THAT(embeddings[0][0], TensorEquals(Told("a", 0)));
  EXPECT_THAT(embeddings[1][0], TensorEquals(Told("", 0)));
  EXPECT_THAT(embeddings[2][0], TensorEquals(Told("a", 1)));
  EXPECT_THAT(embeddings[2][1], TensorEquals(2 * Told("a", 1)));
}

TEST_F(TextCacheTest, WhatIsMissingIsEncodedTogether) {
  TextCache cache(1 << 20);
  Get(cache, {{"a", 0}, {"b", 0}, {"c", 0}, {"d", 2}});
  EXPECT_THAT(calls_, ElementsAre(3, 1));
}

TEST_F(TextCacheTest, EncodesATextOnce) {
  TextCache cache(1 << 20);
  Get(cache, {{"a", 0}, {"", 0}});
  EXPECT_THAT(cache.TakeHitsAndMisses(), Pair(0, 2));
  Get(cache, {{"", 0}, {"c", 0}, {"c", 0}});
  EXPECT_THAT(cache.TakeHitsAndMisses(), Pair(2, 1));
}

TEST_F(TextCacheTest, EncodersDoNotShareTexts) {
  TextCache cache(1 << 20);
  const int one = 0;
  const int other = 0;
  Get(cache, {{"a", 0}}, &one);
  Get(cache, {{"a", 0}}, &other);
  EXPECT_THAT(cache.TakeHitsAndMisses(), Pair(0, 2));
}

TEST_F(TextCacheTest, TheLeastRecentlyUsedLeavesWhenItIsFull) {
  TextCache cache(2 * kBytes);
  Get(cache, {{"a", 0}, {"b", 0}});
  Get(cache, {{"a", 0}});
  Get(cache, {{"c", 0}});
  EXPECT_EQ(cache.bytes(), 2 * kBytes);
  cache.TakeHitsAndMisses();
  Get(cache, {{"a", 0}, {"c", 0}});
  EXPECT_THAT(cache.TakeHitsAndMisses(), Pair(2, 0));
  Get(cache, {{"b", 0}});
  EXPECT_THAT(cache.TakeHitsAndMisses(), Pair(0, 1));
}

TEST_F(TextCacheTest, WorksWithoutRoom) {
  TextCache cache(0);
  EXPECT_EQ(Get(cache, {{"a", 0}, {"b", 0}}).size(), 2u);
  EXPECT_EQ(cache.bytes(), 0);
}

TEST_F(TextCacheTest, AFailedCallKeepsNothing) {
  TextCache cache(1 << 20);
  fails_ = true;
  EXPECT_THROW(Get(cache, {{"a", 0}}), std::runtime_error);
  fails_ = false;
  EXPECT_THAT(Get(cache, {{"a", 0}})[0][0], TensorEquals(Told("a", 0)));
}

TEST_F(TextCacheTest, ForgetsAllWhenAModelLeaves) {
  TextCache cache(1 << 20);
  Get(cache, {{"a", 0}});
  cache.Clear();
  EXPECT_EQ(cache.bytes(), 0);
  cache.TakeHitsAndMisses();
  Get(cache, {{"a", 0}});
  EXPECT_THAT(cache.TakeHitsAndMisses(), Pair(0, 1));
}

}  // namespace
}  // namespace genzo
