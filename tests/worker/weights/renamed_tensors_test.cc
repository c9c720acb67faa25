#include "worker/weights/renamed_tensors.h"

#include "ATen/ops/tensor.h"
#include "tests/testing/matchers.h"
#include "tests/testing/tensor_matchers.h"
#include "tests/testing/test_folder.h"
#include "tests/worker/weights/tensor_files.h"
#include "worker/weights/safetensors.h"
#include "worker/weights/tensor_heads.h"

namespace genzo {
namespace {

class RenamedTensorsTest : public ::testing::Test {
 protected:
  absl::StatusOr<std::shared_ptr<const TensorSource>> View(
      const RenameTable& table) const {
    return RenamedTensors::Create(source_, table);
  }

  const TestFolder folder_;
  const std::shared_ptr<const TensorSource> source_ =
      *SafetensorsFile::Open(folder_.Write(
          "x", FloatFile({{"query", {1}}, {"key", {2}}, {"bias", {3}}})));
};

TEST_F(RenamedTensorsTest, GivesNewNamesAndKeepsTheOthers) {
  const auto view = View({{"query", "to_q"}, {"nowhere", "bias"}});
  ASSERT_THAT(view, IsOk());
  EXPECT_EQ((*view)->entries().size(), 3u);
  EXPECT_THAT(*(*view)->Read("to_q"), TensorEquals(at::tensor({1.f})));
  EXPECT_THAT(*(*view)->Read("key"), TensorEquals(at::tensor({2.f})));
  EXPECT_EQ((*view)->path(), source_->path());
}

TEST_F(RenamedTensorsTest, HeadsStayHeads) {
  EXPECT_TRUE((*View({{"query", "to_q"}}))->has_values());
  const auto heads =
      *RenamedTensors::Create(HeadsOf(source_), {{"query", "to_q"}});
  EXPECT_FALSE(heads->has_values());
  EXPECT_EQ(heads->entries().count("to_q"), 1u);
  EXPECT_THAT(heads->Read("to_q"),
              StatusIs(absl::StatusCode::kFailedPrecondition, "\"query\""));
}

TEST_F(RenamedTensorsTest, OldNamesAreGone) {
  const auto view = View({{"query", "to_q"}});
  EXPECT_THAT((*view)->Read("query"),
              StatusIs(absl::StatusCode::kNotFound, "\"query\" is missing"));
}

TEST_F(RenamedTensorsTest, NamesMaySwap) {
  const auto view = View({{"query", "key"}, {"key", "query"}});
  ASSERT_THAT(view, IsOk());
  EXPECT_THAT(*(*view)->Read("query"), TensorEquals(at::tensor({2.f})));
}

TEST_F(RenamedTensorsTest, TwoTensorsOfOneNameAreNamed) {
  EXPECT_THAT(View({{"query", "key"}}),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       "/x: tensors \"key\" and \"query\" are both \"key\""));
}

}  // namespace
}  // namespace genzo
