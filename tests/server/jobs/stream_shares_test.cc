#include "server/jobs/stream_shares.h"

#include "tests/testing/matchers.h"

namespace genzo {
namespace {

// The example of the header.
TEST(StreamSharesTest, TheLastEighthIsForThoseWithLessThanAnEvenShare) {
  Metrics metrics;
  StreamShares shares(/*most=*/800, metrics);
  for (int i = 0; i < 600; ++i) shares.Add("a");
  EXPECT_THAT(shares.CheckOneMore("a"), IsOk());
  for (int i = 0; i < 100; ++i) shares.Add("b");
  EXPECT_THAT(shares.CheckOneMore("a"),
              StatusIs(absl::StatusCode::kResourceExhausted,
                       "700 streams, 600 of them the caller's; its limit is "
                       "800, the last 100"));
  EXPECT_THAT(shares.CheckOneMore("b"), IsOk());
  for (int i = 0; i < 100; ++i) {
    EXPECT_THAT(shares.CheckOneMore("c"), IsOk());
    shares.Add("c");
  }
  EXPECT_THAT(shares.CheckOneMore("d"),
              StatusIs(absl::StatusCode::kResourceExhausted, "800 streams"));
  EXPECT_EQ(metrics.streams().Value(), 800);
  shares.Remove("a");
  EXPECT_THAT(shares.CheckOneMore("d"), IsOk());
}

}  // namespace
}  // namespace genzo
