#include "worker/denoiser/prepared.h"

#include "ATen/ops/cat.h"
#include "ATen/ops/randn.h"
#include "tests/testing/tensor_matchers.h"
#include "worker/denoiser/denoiser.h"

namespace genzo {
namespace {

PreparedRef Part(int64_t rows) {
  return std::make_shared<Prepared>(
      Prepared{.rows = rows,
               .tensors = {at::randn({rows, 3, 2}), at::randn({rows, 5})}});
}

TEST(PreparedJoinerTest, JoinsRowsInOrder) {
  const PreparedRef two = Part(2);
  const PreparedRef one = Part(1);
  PreparedJoiner joiner;
  const PreparedRef joined = joiner.Join({two, one});
  EXPECT_EQ(joined->rows, 3);
  for (size_t i = 0; i < 2; ++i) {
    EXPECT_THAT(joined->tensors[i],
                TensorEquals(at::cat({two->tensors[i], one->tensors[i]})));
  }
}

TEST(PreparedJoinerTest, RepeatsTheLastRowToFillUp) {
  const PreparedRef two = Part(2);
  PreparedJoiner joiner;
  const PreparedRef joined = joiner.Join({two}, /*padded_rows=*/5);
  EXPECT_EQ(joined->rows, 5);
  EXPECT_THAT(joined->tensors[1].narrow(0, 0, 2),
              TensorEquals(two->tensors[1]));
  for (int64_t row = 2; row < 5; ++row) {
    EXPECT_THAT(joined->tensors[1][row], TensorEquals(two->tensors[1][1]));
  }
}

TEST(PreparedJoinerTest, OnePartIsNotCopied) {
  const PreparedRef two = Part(2);
  PreparedJoiner joiner;
  EXPECT_EQ(joiner.Join({two}), two);
  EXPECT_EQ(joiner.Join({two}, /*padded_rows=*/2), two);
}

TEST(PreparedJoinerTest, ABatchThatStaysTogetherIsJoinedOnce) {
  const PreparedRef a = Part(1);
  const PreparedRef b = Part(2);
  PreparedJoiner joiner;
  const PreparedRef joined = joiner.Join({a, b});
  joiner.Join({b, a});
  EXPECT_EQ(joiner.Join({a, b}), joined);
  EXPECT_NE(joiner.Join({a, b}, /*padded_rows=*/4), joined);
  joiner.Clear();
  EXPECT_NE(joiner.Join({a, b}), joined);
}

TEST(PreparedJoinerTest, WhatHasNoTensorsHasRowsAllTheSame) {
  const auto part = std::make_shared<Prepared>(Prepared{.rows = 1});
  PreparedJoiner joiner;
  const PreparedRef joined = joiner.Join({part, part}, /*padded_rows=*/3);
  EXPECT_EQ(joined->rows, 3);
  EXPECT_TRUE(joined->tensors.empty());
}

TEST(PreparedTest, RepeatsItsFirstRow) {
  const PreparedRef part = Part(2);
  const Prepared repeated = RepeatFirstRow(*part, 4);
  EXPECT_EQ(repeated.rows, 4);
  EXPECT_EQ(repeated.tensors[0].sizes(), at::IntArrayRef({4, 3, 2}));
  EXPECT_THAT(repeated.tensors[0][3], TensorEquals(part->tensors[0][0]));
}

TEST(PreparedTest, StandsInTurnAndFromAStepOn) {
  const PreparedRef a = Part(1), b = Part(1), c = Part(1);
  EXPECT_EQ(InTurn({{0, a}}), a);
  const PreparedRef turns = InTurn({{0, a}, {2, b}, {5, c}});
  const auto at = [](const PreparedRef& prepared, int step) {
    return PreparedAt(prepared, step)->tensors[0];
  };
  EXPECT_THAT(at(turns, 1), TensorEquals(a->tensors[0]));
  EXPECT_THAT(at(turns, 2), TensorEquals(b->tensors[0]));
  EXPECT_THAT(at(turns, 7), TensorEquals(c->tensors[0]));
  const PreparedRef from = PreparedFrom(turns, 3);
  EXPECT_THAT(at(from, 0), TensorEquals(b->tensors[0]));
  EXPECT_THAT(at(from, 1), TensorEquals(b->tensors[0]));
  EXPECT_THAT(at(from, 2), TensorEquals(c->tensors[0]));
  EXPECT_EQ(PreparedFrom(a, 3), a);
}

}  // namespace
}  // namespace genzo
