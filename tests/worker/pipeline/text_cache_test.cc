#include "worker/pipeline/text_cache.h"

#include "tests/testing/matchers.h"
#include "tests/testing/tensor_matchers.h"
#include "tests/testing/test_folder.h"

namespace genzo {
namespace {

using ::testing::Pair;

class TextCacheTest : public ::testing::Test {
 protected:
  const std::unique_ptr<const DiffusionModel> model_ =
      *DiffusionModel::Load(TinyModelFolder(), Placement());
};

TEST_F(TextCacheTest, GivesWhatTheModelGives) {
  TextCache cache(1 << 20);
  const auto encoded =
      cache.Encode(*model_, {{"a fox", 0}, {"", 0}, {"a fox", 1}});
  EXPECT_THAT(encoded[0], TensorEquals(model_->EncodeTexts({"a fox"}, 0)));
  EXPECT_THAT(encoded[1], TensorEquals(model_->EncodeTexts({""}, 0)));
  EXPECT_THAT(encoded[2], TensorEquals(model_->EncodeTexts({"a fox"}, 1)));
}

TEST_F(TextCacheTest, EncodesATextOnce) {
  TextCache cache(1 << 20);
  cache.Encode(*model_, {{"a fox", 0}, {"", 0}});
  EXPECT_THAT(cache.TakeHitsAndMisses(), Pair(0, 2));
  cache.Encode(*model_, {{"", 0}, {"a cat", 0}, {"a cat", 0}});
  EXPECT_THAT(cache.TakeHitsAndMisses(), Pair(2, 1));
}

TEST_F(TextCacheTest, TheLeastRecentlyUsedLeavesWhenItIsFull) {
  const auto bytes =
      static_cast<int64_t>(model_->EncodeTexts({""}, 0).nbytes());
  TextCache cache(2 * bytes);
  cache.Encode(*model_, {{"a", 0}, {"b", 0}});
  cache.Encode(*model_, {{"a", 0}});
  cache.Encode(*model_, {{"c", 0}});
  EXPECT_EQ(cache.bytes(), 2 * bytes);
  cache.TakeHitsAndMisses();
  cache.Encode(*model_, {{"a", 0}, {"c", 0}});
  EXPECT_THAT(cache.TakeHitsAndMisses(), Pair(2, 0));
  cache.Encode(*model_, {{"b", 0}});
  EXPECT_THAT(cache.TakeHitsAndMisses(), Pair(0, 1));
}

TEST_F(TextCacheTest, WorksWithoutRoom) {
  TextCache cache(0);
  EXPECT_EQ(cache.Encode(*model_, {{"a", 0}, {"b", 0}}).size(), 2u);
  EXPECT_EQ(cache.bytes(), 0);
}

}  // namespace
}  // namespace genzo
