#include "worker/vision/picture_judges.h"

#include <filesystem>

#include "base/errors.h"
#include "tests/testing/matchers.h"
#include "tests/testing/random_tensors.h"
#include "tests/testing/test_folder.h"

namespace genzo {
namespace {

using ::testing::SizeIs;

class PictureJudgesTest : public ::testing::Test {
 protected:
  PictureJudgesTest() {
    picture_.rgb.assign(size_t{64} * 64 * 3, '\x60');
    WriteHead();
  }

  // Of other weights each time.
  void WriteHead() {
    RandomTensors head;
    head.AddLayer("layers.0", embedding_size_, 1);
    head.Write(folder_.path(), "next");
    std::filesystem::rename(folder_.path() + "/next",
                            folder_.path() + "/model.safetensors");
  }
  absl::StatusOr<std::vector<double>> Score(PictureJudges& judges) {
    return judges.Score({.scorer = "taste"}, "", /*count=*/1,
                        [&](size_t) { return picture_; });
  }

  const TestFolder folder_;
  const std::string clip_ = SourcePath("models/emaki/scorer");
  const int64_t embedding_size_ =
      (*ClipScorer::Open(clip_, Placement()))->embedding_size();
  Pixels picture_{.width = 64, .height = 64, .rgb = {}};
};

TEST_F(PictureJudgesTest, ReadsAScorerAgainOnceItsFilesHaveChanged) {
  PictureJudges judges({{"taste", clip_, folder_.path()}}, "", at::kCPU);
  const auto first = Score(judges);
  ASSERT_THAT(first, IsOk());
  ASSERT_THAT(*first, SizeIs(1));
  EXPECT_EQ(*Score(judges), *first);
  WriteHead();
  const auto second = Score(judges);
  ASSERT_THAT(second, IsOk());
  EXPECT_NE(*second, *first);
  folder_.Write("model.safetensors", "half of it");
  EXPECT_EQ(ErrorReason(Score(judges).status()), "SCORER_FAILED");
  WriteHead();
  EXPECT_THAT(Score(judges), IsOk());
}

}  // namespace
}  // namespace genzo
