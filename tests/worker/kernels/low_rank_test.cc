// Products of low rank against LibTorch's in double, and their promise that a
// row has the same bits in any company and with any number of threads.

#include "worker/kernels/low_rank.h"

#include "ATen/Parallel.h"
#include "ATen/TensorOperators.h"
#include "ATen/ops/matmul.h"
#include "ATen/ops/randn.h"
#include "c10/core/InferenceMode.h"
#include "tests/testing/tensor_matchers.h"

namespace genzo {
namespace {

struct Layer {
  at::ScalarType type;
  int64_t in, out, rank, places;
};

class LowRankTest : public ::testing::TestWithParam<Layer> {
 protected:
  LowRankTest()
      : x_(Random({4, GetParam().places, GetParam().in})),
        y_(Random({4, GetParam().places, GetParam().out})) {}

  void SetUp() override {
    if (!CanAddLowRank(x_, y_)) GTEST_SKIP() << "not on this processor";
  }

  static at::Tensor Random(at::IntArrayRef sizes) {
    return at::randn(sizes).to(GetParam().type);
  }

  static LowRankProduct Product(int64_t first_row, int64_t rows) {
    // Of a layer with more outputs: a part of a larger one.
    const at::Tensor up = Random({GetParam().out + 3, GetParam().rank});
    return {.down = Random({GetParam().rank, GetParam().in}),
            .up = up.narrow(0, 2, GetParam().out),
            .scale = 0.5 + first_row,
            .first_row = first_row,
            .rows = rows};
  }

  at::Tensor Added(const std::vector<LowRankProduct>& products) const {
    const at::Tensor y = y_.clone();
    AddLowRank(products, x_, y);
    return y;
  }

  c10::InferenceMode inference_;
  const at::Tensor x_, y_;
};

TEST_P(LowRankTest, AddsTheProductToItsRows) {
  const std::vector<LowRankProduct> products = {Product(0, 1), Product(2, 2)};
  const at::Tensor y = Added(products);
  at::Tensor exact = y_.to(at::kDouble);
  for (const LowRankProduct& p : products) {
    const at::Tensor h =
        at::matmul(x_.narrow(0, p.first_row, p.rows).to(at::kDouble),
                   p.down.to(at::kDouble).t());
    exact.narrow(0, p.first_row, p.rows) +=
        at::matmul(h, p.up.to(at::kDouble).t()) * p.scale;
  }
  EXPECT_THAT(y.narrow(0, 1, 1), TensorEquals(y_.narrow(0, 1, 1)));
  const double bound = GetParam().type == at::kFloat ? 1e-5 : 1e-2;
  EXPECT_THAT(y.to(at::kDouble), TensorNear(exact, bound));
}

TEST_P(LowRankTest, ARowHasItsBitsWithoutTheOthersAndAmongThem) {
  const LowRankProduct last = Product(2, 2);
  LowRankProduct alone = last;
  alone.first_row = 0;
  alone.rows = 1;
  const at::Tensor y = y_.narrow(0, 3, 1).clone();
  AddLowRank({alone}, x_.narrow(0, 3, 1), y);
  EXPECT_THAT(y, TensorEquals(Added({last}).narrow(0, 3, 1)));
}

TEST_P(LowRankTest, RowsMayBePartsOfLongerOnes) {
  const LowRankProduct product = Product(1, 3);
  const int64_t places = GetParam().places;
  const at::Tensor x = Random({4, places + 7, GetParam().in});
  const at::Tensor y = Random({4, places + 9, GetParam().out});
  x.narrow(1, 3, places).copy_(x_);
  y.narrow(1, 5, places).copy_(y_);
  ASSERT_TRUE(CanAddLowRank(x.narrow(1, 3, places), y.narrow(1, 5, places)));
  AddLowRank({product}, x.narrow(1, 3, places), y.narrow(1, 5, places));
  EXPECT_THAT(y.narrow(1, 5, places), TensorEquals(Added({product})));
}

TEST_P(LowRankTest, ARowHasItsBitsInAnyCompanyAndWithAnyThreads) {
  const LowRankProduct last = Product(2, 2);
  const at::Tensor together = Added({Product(0, 2), last});
  LowRankProduct alone = last;
  alone.first_row = 3;
  alone.rows = 1;
  const int threads = at::get_num_threads();
  for (int some : {1, 2, 3}) {
    at::set_num_threads(some);
    EXPECT_THAT(Added({alone}).narrow(0, 3, 1),
                TensorEquals(together.narrow(0, 3, 1)))
        << some << " threads";
  }
  at::set_num_threads(threads);
}

INSTANTIATE_TEST_SUITE_P(
    Layers, LowRankTest,
    ::testing::Values(Layer{at::kFloat, 8, 6, 1, 5},
                      Layer{at::kFloat, 320, 130, 16, 200},
                      Layer{at::kFloat, 7, 64, 70, 1},
                      Layer{at::kBFloat16, 8, 6, 3, 5},
                      Layer{at::kBFloat16, 320, 130, 16, 200},
                      Layer{at::kBFloat16, 64, 64, 70, 1}));

TEST(LowRankProductTest, RefusesWhatDoesNotFit) {
  const c10::InferenceMode inference;
  const at::Tensor x = at::randn({2, 4, 8}), y = at::randn({2, 4, 6});
  if (!CanAddLowRank(x, y)) GTEST_SKIP() << "not on this processor";
  const LowRankProduct fits = {.down = at::randn({2, 8}),
                               .up = at::randn({6, 2}),
                               .first_row = 1,
                               .rows = 1};
  AddLowRank({fits}, x, y);
  LowRankProduct wrong = fits;
  wrong.rows = 2;
  EXPECT_ANY_THROW(AddLowRank({wrong}, x, y)) << "rows that are not there";
  wrong = fits;
  wrong.down = at::randn({2, 7});
  EXPECT_ANY_THROW(AddLowRank({wrong}, x, y));
  wrong = fits;
  wrong.up = at::randn({6, 3});
  EXPECT_ANY_THROW(AddLowRank({wrong}, x, y));
  EXPECT_FALSE(CanAddLowRank(x, y.transpose(1, 2)));
}

}  // namespace
}  // namespace genzo
