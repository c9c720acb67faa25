#ifndef GENZO_TESTS_TESTING_TENSOR_MATCHERS_H_
#define GENZO_TESTS_TESTING_TENSOR_MATCHERS_H_

#include "ATen/TensorOperators.h"
#include "ATen/ops/abs.h"
#include "ATen/ops/equal.h"
#include "ATen/ops/max.h"
#include "gmock/gmock.h"

namespace genzo {

// Same shape, and no element further off than `bound` times the largest
// magnitude of `expected`.
MATCHER_P2(TensorNear, expected, bound, "is near the expected tensor") {
  if (arg.sizes() != expected.sizes()) {
    *result_listener << "has another shape";
    return false;
  }
  const double largest = at::max(at::abs(expected)).template item<double>();
  const double difference =
      at::max(at::abs(arg - expected)).template item<double>();
  *result_listener << "is off by " << difference << " of " << largest;
  return difference <= bound * largest;
}

MATCHER_P(TensorEquals, expected, "equals the expected tensor bit by bit") {
  return at::equal(arg, expected);
}

}  // namespace genzo

#endif  // GENZO_TESTS_TESTING_TENSOR_MATCHERS_H_
