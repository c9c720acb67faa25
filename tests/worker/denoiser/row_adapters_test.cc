#include "worker/denoiser/row_adapters.h"

#include "ATen/TensorOperators.h"
#include "ATen/ops/randn.h"
#include "ATen/ops/zeros.h"
#include "c10/core/InferenceMode.h"
#include "tests/testing/tensor_matchers.h"
#include "worker/denoiser/recorded_denoiser.h"
#include "worker/nn/layers.h"

namespace genzo {
namespace {

constexpr char kLayer[] = "to_q";

// Counts what is recorded; replays do the work again.
class CountingRecorder : public Recorder {
 public:
  explicit CountingRecorder(int& recorded) : recorded_(recorded) {}
  std::unique_ptr<Recording> Record(
      const std::function<void()>& work) override {
    ++recorded_;
    return std::make_unique<Again>(work);
  }
  void Reset() override {}

 private:
  class Again : public Recording {
   public:
    explicit Again(std::function<void()> work) : work_(std::move(work)) {}
    void Replay() override { work_(); }

   private:
    const std::function<void()> work_;
  };

  int& recorded_;
};

// One layer over what was prepared.
class OneLayer : public Denoiser {
 public:
  explicit OneLayer(const Linear& layer) : layer_(layer) {}
  absl::StatusOr<PreparedRef> Prepare(const Conditioning&) const override {
    return absl::UnimplementedError("not needed here");
  }
  at::Tensor EmbedTimes(const std::vector<float>&) const override { return {}; }
  at::Tensor Forward(const at::Tensor& sample, const at::Tensor&,
                     const Prepared& prepared) const override {
    return sample + layer_.forward(prepared.tensors[0], prepared.adapters);
  }
  Placement placement() const override { return {}; }

 private:
  const Linear layer_;
};

class RowAdaptersTest : public ::testing::Test {
 protected:
  static std::shared_ptr<const AdapterSet> Adapter(int64_t rank) {
    auto set = std::make_shared<AdapterSet>();
    set->layers[kLayer] = {
        {.down = at::randn({rank, 8}), .up = at::randn({6, rank}), .scale = 2}};
    return set;
  }
  // Row 0 has none; the texts are new ones every time.
  Prepared Mixed(std::vector<std::shared_ptr<const AdapterSet>> adapters) {
    std::vector<AdapterSegment> segments;
    for (size_t i = 0; i < adapters.size(); ++i) {
      segments.push_back({static_cast<int64_t>(i) + 1, 1, adapters[i]});
    }
    return {.rows = 4,
            .tensors = {at::randn({4, 5, 8})},
            .adapters = EvalContext(std::move(segments))};
  }
  void ExpectSame(const Prepared& prepared) {
    const at::Tensor expected = layer_.Forward(sample_, times_, prepared);
    const at::Tensor actual = recorded_.Forward(sample_, times_, prepared);
    EXPECT_THAT(actual, TensorNear(expected, 1e-4));
    EXPECT_THAT(actual.narrow(0, 0, 1), TensorEquals(expected.narrow(0, 0, 1)));
  }

  c10::InferenceMode inference_;
  const Linear linear_{at::randn({6, 8}), at::randn({6}), kLayer};
  const OneLayer layer_{linear_};
  const at::Tensor sample_ = at::randn({4, 5, 6});
  const at::Tensor times_ = at::zeros({4, 1});
  int records_ = 0;
  RecordedDenoiser recorded_{std::make_unique<OneLayer>(linear_),
                             std::make_unique<CountingRecorder>(records_)};
};

TEST_F(RowAdaptersTest, RecordingsServeOtherAdaptersOfTheirRanks) {
  for (int round = 0; round < 3; ++round) {
    ExpectSame(Mixed({Adapter(3), Adapter(4)}));
    ExpectSame(Mixed({Adapter(4), Adapter(2), Adapter(1)}));
  }
  EXPECT_EQ(records_, 1);  // all of them are in the bucket of 4
  for (int round = 0; round < 3; ++round) {
    ExpectSame(Mixed({Adapter(16), Adapter(4)}));
  }
  EXPECT_EQ(records_, 2);
  for (int round = 0; round < 3; ++round) ExpectSame(Mixed({}));
  EXPECT_EQ(records_, 3);
  ExpectSame(Mixed({Adapter(3), Adapter(4)}));
  EXPECT_EQ(records_, 3);
}

TEST_F(RowAdaptersTest, SeveralOnOneLayerAddUp) {
  auto both = std::make_shared<AdapterSet>(*Adapter(3));
  both->layers[kLayer].push_back(Adapter(2)->layers.at(kLayer)[0]);
  for (int round = 0; round < 3; ++round) ExpectSame(Mixed({both}));
  EXPECT_EQ(records_, 1);
}

TEST_F(RowAdaptersTest, WhatIsNoProductIsNotRecorded) {
  auto whole = std::make_shared<AdapterSet>();
  whole->layers[kLayer] = {{.whole = at::randn({6, 8})}};
  for (int round = 0; round < 3; ++round) ExpectSame(Mixed({whole}));
  auto biased = std::make_shared<AdapterSet>(*Adapter(3));
  biased->layers[kLayer][0].bias = at::randn({6});
  for (int round = 0; round < 3; ++round) ExpectSame(Mixed({biased}));
  EXPECT_EQ(records_, 0);
}

TEST_F(RowAdaptersTest, RanksAreFilledUpToPowersOfTwo) {
  EXPECT_EQ(RankBucket(1), 4);
  EXPECT_EQ(RankBucket(4), 4);
  EXPECT_EQ(RankBucket(5), 8);
  EXPECT_EQ(RankBucket(128), 128);
}

}  // namespace
}  // namespace genzo
