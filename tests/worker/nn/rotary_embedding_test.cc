#include "worker/nn/rotary_embedding.h"

#include <cmath>

#include "ATen/TensorOperators.h"
#include "ATen/ops/equal.h"
#include "ATen/ops/randn.h"
#include "tests/testing/tensor_matchers.h"

namespace genzo {
namespace {

// The product of a query at `q` with a key at `k`, places of a 4 x 5 grid.
double Product(const Rotation& rotation, const at::Tensor& query,
               const at::Tensor& key, int64_t q, int64_t k) {
  const auto at_place = [&](const at::Tensor& x, int64_t place) {
    return Rotate(x.view({1, 1, -1}), /*heads=*/1,
                  {.cosines = rotation.cosines.narrow(0, place, 1),
                   .sines = rotation.sines.narrow(0, place, 1)});
  };
  return (at_place(query, q) * at_place(key, k)).sum().item<double>();
}

TEST(RotaryEmbeddingTest, ProductsTellDistancesAlone) {
  const Rotation rotation =
      RotationAt(/*origin=*/3, {1, 4, 5}, {2, 4, 6}, at::kCPU);
  ASSERT_EQ(rotation.cosines.sizes(), at::IntArrayRef({23, 6}));
  const at::Tensor query = at::randn({12});
  const at::Tensor key = at::randn({12});
  const auto place = [](int64_t row, int64_t column) {
    return 3 + row * 5 + column;
  };
  const double product =
      Product(rotation, query, key, place(0, 1), place(2, 0));
  EXPECT_NEAR(Product(rotation, query, key, place(1, 4), place(3, 3)), product,
              1e-4);
  EXPECT_GT(std::abs(Product(rotation, query, key, place(1, 4), place(3, 2)) -
                     product),
            1e-3);
}

TEST(RotaryEmbeddingTest, TokensAtTheOriginStayAsTheyAre) {
  const Rotation rotation =
      RotationAt(/*origin=*/2, {1, 1, 2}, {2, 2, 2}, at::kCPU);
  const at::Tensor x = at::randn({3, 4, 12});
  const at::Tensor rotated = Rotate(x, /*heads=*/2, rotation);
  EXPECT_THAT(rotated.narrow(1, 0, 3), TensorEquals(x.narrow(1, 0, 3)));
  EXPECT_FALSE(at::equal(rotated.select(1, 3), x.select(1, 3)));
}

}  // namespace
}  // namespace genzo
