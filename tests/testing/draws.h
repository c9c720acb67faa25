#ifndef GENZO_TESTS_TESTING_DRAWS_H_
#define GENZO_TESTS_TESTING_DRAWS_H_

#include <cstddef>
#include <cstdint>
#include <random>
#include <vector>

namespace genzo {

// Choices of a property test, the same always of one seed.
class Draws {
 public:
  explicit Draws(uint64_t seed) : random_(seed) {}

  // One of 0 to n - 1.
  size_t Below(size_t n) { return random_() % n; }
  // Once in n times.
  bool OneIn(size_t n) { return Below(n) == 0; }

  template <typename T>
  T Choose(const std::vector<T>& values) {
    return values[Below(values.size())];
  }

 private:
  std::mt19937_64 random_;
};

}  // namespace genzo

#endif  // GENZO_TESTS_TESTING_DRAWS_H_
