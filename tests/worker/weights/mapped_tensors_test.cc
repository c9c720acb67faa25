#include "worker/weights/mapped_tensors.h"

#include "ATen/ops/eye.h"
#include "ATen/ops/tensor.h"
#include "tests/testing/matchers.h"
#include "tests/testing/tensor_matchers.h"
#include "tests/testing/test_folder.h"
#include "tests/worker/weights/tensor_files.h"
#include "worker/weights/safetensors.h"

namespace genzo {
namespace {

class MappedTensorsTest : public ::testing::Test {
 protected:
  absl::StatusOr<std::shared_ptr<const TensorSource>> View(
      const TensorRecipe& recipe) const {
    return MappedTensors::Create(source_, {{"made", recipe}});
  }
  at::Tensor Made(const TensorRecipe& recipe) const {
    return *(*View(recipe))->Read("made");
  }

  const TestFolder folder_;
  const std::shared_ptr<const TensorSource> source_ =
      *SafetensorsFile::Open(folder_.Write(
          "x", FloatFile({{"a", {1, 2, 3, 4, 5, 6}}, {"b", {7, 8}}})));
};

TEST_F(MappedTensorsTest, TakesRowsAndPutsThemTogether) {
  EXPECT_THAT(Made({{{"a", 2, 2}}}), TensorEquals(at::tensor({3.f, 4.f})));
  EXPECT_THAT(Made({{{"b"}, {"a", 0, 1}}}),
              TensorEquals(at::tensor({7.f, 8.f, 1.f})));
  EXPECT_THAT(Made({{{"a", 3, 3}, {"a", 0, 3}}}),
              TensorEquals(at::tensor({4.f, 5.f, 6.f, 1.f, 2.f, 3.f})));
}

TEST_F(MappedTensorsTest, GivesAnotherShape) {
  const auto view = View({.pieces = {{"a"}}, .new_shape = {3, 2}});
  ASSERT_THAT(view, IsOk());
  EXPECT_EQ((*view)->entries().at("made").shape, (std::vector<int64_t>{3, 2}));
  EXPECT_THAT(*(*view)->Read("made", {.rows = RowRange{1, 1}}),
              TensorEquals(at::tensor({3.f, 4.f}).view({1, 2})));
  EXPECT_THAT(View({.pieces = {{"a"}}, .new_shape = {4, 2}}).status(),
              StatusIs(kInvalid, "of shape [6] cannot be [4, 2]"));
}

TEST_F(MappedTensorsTest, Transposes) {
  const auto matrix = *View({.pieces = {{"a"}}, .new_shape = {3, 2}});
  const auto view = MappedTensors::Create(
      matrix, {{"t", {.pieces = {{"made"}}, .transposed = true}}});
  ASSERT_THAT(view, IsOk());
  EXPECT_THAT(
      *(*view)->Read("t"),
      TensorEquals(at::tensor({1.f, 3.f, 5.f, 2.f, 4.f, 6.f}).view({2, 3})));
  EXPECT_TRUE((*view)->Read("t")->is_contiguous());
}

TEST_F(MappedTensorsTest, MakesAUnitMatrix) {
  EXPECT_THAT(Made({.pieces = {}, .identity = 2}), TensorEquals(at::eye(2)));
}

TEST_F(MappedTensorsTest, PiecesThatAreNotThereAreNamed) {
  EXPECT_THAT(View({{{"c"}}}).status(),
              StatusIs(absl::StatusCode::kNotFound, "\"c\" is missing"));
  EXPECT_THAT(View({{{"a", 5, 2}}}).status(),
              StatusIs(kInvalid, "\"a\" has 6 rows, not 2 from 5"));
  EXPECT_THAT(View({{{"a", -1, 2}}}).status(), StatusIs(kInvalid, "6 rows"));
  EXPECT_THAT(View({.pieces = {{"a"}}, .transposed = true}).status(),
              StatusIs(kInvalid, "does not have two dimensions"));
}

}  // namespace
}  // namespace genzo
