#include "worker/engine/candidate_list.h"

#include "tests/testing/matchers.h"

namespace genzo {
namespace {

using List = CandidateList<std::string>;

Candidate Add(List& list, const std::string& tenant, const std::string& shape,
              int cap = 1) {
  return list.Add(tenant, shape, /*rows=*/1, [cap] {
    return ShapeLimits{.row_cap = cap, .times = {1, 1.5}};
  });
}

TEST(CandidateListTest, NumbersStayWhileTheirValuesDo) {
  List list;
  list.Clear();
  Add(list, "a", "x");
  const Candidate before = Add(list, "b", "y", 7);
  // The first of both leaves: the second is the only one, and the same.
  list.Clear();
  const Candidate after = Add(list, "b", "y", 7);
  EXPECT_EQ(after.tenant, before.tenant);
  EXPECT_EQ(after.shape, before.shape);
  EXPECT_EQ(list.limits()[after.shape].row_cap, 7);
  EXPECT_EQ(list.candidates().size(), 1u);
}

TEST(CandidateListTest, NewValuesTakeNumbersThatNobodyHas) {
  List list;
  list.Clear();
  Add(list, "a", "x");
  Add(list, "b", "x");
  list.Clear();
  const int c = Add(list, "c", "x").tenant;
  const int b = Add(list, "b", "x").tenant;
  EXPECT_EQ(b, 1);
  EXPECT_EQ(c, 2) << "what is kept of a must not become c's";
  list.Clear();
  Add(list, "c", "x");
  EXPECT_EQ(Add(list, "d", "x").tenant, 0) << "free again";
}

TEST(CandidateListTest, AsksForTheLimitsOfAShapeOnce) {
  List list;
  list.Clear();
  int asked = 0;
  for (int i = 0; i < 3; ++i) {
    list.Add("a", "x", /*rows=*/2, [&] {
      ++asked;
      return ShapeLimits{.row_cap = 8, .times = {1, 1.5}};
    });
  }
  EXPECT_EQ(asked, 1);
  EXPECT_EQ(list.candidates().back().cost, 1.5);
}

}  // namespace
}  // namespace genzo
