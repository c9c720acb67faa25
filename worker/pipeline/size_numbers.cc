#include "worker/pipeline/size_numbers.h"

#include <vector>

#include "ATen/ops/tensor.h"
#include "base/request_rules.h"

namespace genzo {
namespace {

using Sizes = v1::SizeConditioning::Sizes;

// What every row begins with: original size and crop.
std::vector<double> BeginningOf(const v1::GenerateRequest& request,
                                const Sizes& sizes) {
  return {
      static_cast<double>(sizes.has_original_height() ? sizes.original_height()
                                                      : request.height()),
      static_cast<double>(sizes.has_original_width() ? sizes.original_width()
                                                     : request.width()),
      static_cast<double>(sizes.crop_top()),
      static_cast<double>(sizes.crop_left())};
}

const Sizes& SizesOf(const v1::GenerateRequest& request, bool negative) {
  const v1::SizeConditioning& conditioning = request.size_conditioning();
  return negative && conditioning.has_negative() ? conditioning.negative()
                                                 : conditioning.prompt();
}

double ScoreOf(const v1::Refiner& refiner, bool negative) {
  if (negative) {
    return refiner.has_negative_aesthetic_score()
               ? refiner.negative_aesthetic_score()
               : kDefaultNegativeAestheticScore;
  }
  return refiner.has_aesthetic_score() ? refiner.aesthetic_score()
                                       : kDefaultAestheticScore;
}

// `end` is what stands behind the beginning of a row.
template <typename End>
at::Tensor Rows(const v1::GenerateRequest& request, int64_t rows,
                const End& end) {
  std::vector<double> numbers;
  for (int64_t row = 0; row < rows; ++row) {
    const bool negative = row + 1 < rows;
    const auto beginning = BeginningOf(request, SizesOf(request, negative));
    const std::vector<double> rest = end(negative);
    numbers.insert(numbers.end(), beginning.begin(), beginning.end());
    numbers.insert(numbers.end(), rest.begin(), rest.end());
  }
  return at::tensor(numbers, at::kFloat).view({rows, -1});
}

}  // namespace

at::Tensor SizeNumbers(const v1::GenerateRequest& request, int64_t rows) {
  return Rows(request, rows, [&](bool negative) -> std::vector<double> {
    const Sizes& sizes = SizesOf(request, negative);
    return {
        static_cast<double>(sizes.has_target_height() ? sizes.target_height()
                                                      : request.height()),
        static_cast<double>(sizes.has_target_width() ? sizes.target_width()
                                                     : request.width())};
  });
}

at::Tensor RefinerNumbers(const v1::GenerateRequest& request, int64_t rows) {
  return Rows(request, rows, [&](bool negative) -> std::vector<double> {
    return {ScoreOf(request.refiner(), negative)};
  });
}

}  // namespace genzo
