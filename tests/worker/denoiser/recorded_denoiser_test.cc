#include "worker/denoiser/recorded_denoiser.h"

#include <cmath>
#include <functional>
#include <new>
#include <set>
#include <stdexcept>

#include "ATen/ops/full.h"
#include "ATen/ops/randn.h"
#include "c10/core/InferenceMode.h"
#include "tests/testing/tensor_matchers.h"

namespace genzo {
namespace {

using ::testing::ElementsAre;

// Does recorded work again by doing it again.
class FakeRecorder : public Recorder {
 public:
  struct Log {
    int recorded = 0;
    int replayed = 0;
    int alive = 0;
    int resets = 0;
    std::function<void()> refusal;  // thrown instead of recording
    bool replaying = false;
  };

  explicit FakeRecorder(Log& log) : log_(log) {}

  std::unique_ptr<Recording> Record(
      const std::function<void()>& work) override {
    ++log_.recorded;
    if (log_.refusal != nullptr) log_.refusal();
    return std::make_unique<FakeRecording>(work, log_);
  }

  void Reset() override {
    EXPECT_EQ(log_.alive, 0);
    ++log_.resets;
  }

 private:
  class FakeRecording : public Recording {
   public:
    FakeRecording(std::function<void()> work, Log& log)
        : work_(std::move(work)), log_(log) {
      ++log_.alive;
    }
    ~FakeRecording() override { --log_.alive; }
    void Replay() override {
      ++log_.replayed;
      log_.replaying = true;
      work_();
      log_.replaying = false;
    }

   private:
    const std::function<void()> work_;
    Log& log_;
  };

  Log& log_;
};

// Every input shows in every row's prediction.
at::Tensor Denoised(const at::Tensor& sample, const at::Tensor& times,
                    const std::vector<at::Tensor>& prepared) {
  at::Tensor sum = times.sum(1);
  for (size_t i = 0; i < prepared.size(); ++i) {
    sum = sum + (i + 1.0) * prepared[i].sum({1, 2});
  }
  return sample + sum.view({-1, 1, 1, 1});
}

struct Inputs {
  explicit Inputs(int64_t rows, int64_t side = 4, int64_t tokens = 5)
      : sample(at::randn({rows, 2, side, side})),
        times(at::randn({rows, 3})),
        prepared({at::randn({rows, tokens, 6}), at::randn({rows, tokens, 6}),
                  at::randn({rows, tokens, 2})}) {}

  at::Tensor Expected() const { return Denoised(sample, times, prepared); }

  at::Tensor sample;
  at::Tensor times;
  std::vector<at::Tensor> prepared;
};

// What the denoiser under the recordings is to do, and what it saw.
struct Behaviour {
  std::vector<int64_t> evaluated_rows;
  std::set<const void*> samples;  // memory that was evaluated
  bool replays_are_wrong = false;
  std::function<void()> failure;  // thrown by evaluations
};

class CountingDenoiser : public Denoiser {
 public:
  CountingDenoiser(Behaviour& behaviour, const FakeRecorder::Log& log)
      : behaviour_(behaviour), log_(log) {}

  absl::StatusOr<PreparedRef> Prepare(
      const Conditioning& conditioning) const override {
    return absl::UnimplementedError("not needed here");
  }
  at::Tensor EmbedTimes(const std::vector<float>& times) const override {
    return {};
  }
  at::Tensor Forward(const at::Tensor& sample, const at::Tensor& times,
                     const Prepared& prepared) const override {
    behaviour_.evaluated_rows.push_back(sample.size(0));
    behaviour_.samples.insert(sample.const_data_ptr());
    if (behaviour_.failure != nullptr) behaviour_.failure();
    const double off =
        behaviour_.replays_are_wrong && log_.replaying ? 1000 : 0;
    return Denoised(sample, times, prepared.tensors) + off;
  }
  Placement placement() const override { return {}; }

 private:
  Behaviour& behaviour_;
  const FakeRecorder::Log& log_;
};

class RecordedDenoiserTest : public ::testing::Test {
 protected:
  at::Tensor Run(const Inputs& inputs) {
    return denoiser_
        .Forward(inputs.sample, inputs.times,
                 {.rows = inputs.sample.size(0), .tensors = inputs.prepared})
        .clone();
  }

  c10::InferenceMode inference_;
  FakeRecorder::Log log_;
  Behaviour behaviour_;
  RecordedDenoiser denoiser_{
      std::make_unique<CountingDenoiser>(behaviour_, log_),
      std::make_unique<FakeRecorder>(log_)};
};

TEST(RecordedRowsTest, FewSizesFitManyRows) {
  std::vector<int64_t> rows;
  for (int64_t i = 1; i <= 13; ++i) rows.push_back(RecordedRows(i));
  EXPECT_THAT(rows, ElementsAre(1, 2, 3, 4, 6, 6, 8, 8, 10, 10, 12, 12, 14));
  for (int64_t i = 1; i <= 200; ++i) {
    EXPECT_GE(RecordedRows(i), i);
    EXPECT_LE(RecordedRows(i), i * 1.2);
  }
}

TEST_F(RecordedDenoiserTest, GivesTheSameHoweverOftenAndWhateverCameBefore) {
  const std::vector<Inputs> inputs = {Inputs(5), Inputs(6), Inputs(5),
                                      Inputs(2), Inputs(5, /*side=*/3)};
  for (int round = 0; round < 4; ++round) {
    for (const Inputs& input : inputs) {
      EXPECT_THAT(Run(input), TensorEquals(input.Expected()));
    }
  }
  // Only time and picture change from step to step; then only the texts.
  Inputs next = inputs[0];
  next.sample = at::randn({5, 2, 4, 4});
  next.times = at::randn({5, 3});
  EXPECT_THAT(Run(inputs[0]), TensorEquals(inputs[0].Expected()));
  EXPECT_THAT(Run(next), TensorEquals(next.Expected()));
  next.prepared = inputs[2].prepared;
  EXPECT_THAT(Run(next), TensorEquals(next.Expected()));
}

TEST_F(RecordedDenoiserTest, RecordsTheSecondOfAKindAndReplaysTheThird) {
  const Inputs five(5);
  Run(five);
  EXPECT_EQ(log_.recorded, 0);
  Run(five);
  EXPECT_EQ(log_.recorded, 1);
  EXPECT_EQ(log_.replayed, 1);  // to compare it
  Run(Inputs(6));
  EXPECT_EQ(log_.recorded, 1);
  EXPECT_EQ(log_.replayed, 2);
  EXPECT_THAT(behaviour_.evaluated_rows, ElementsAre(6, 6, 6, 6));
  // A recording reads what it was recorded with.
  EXPECT_EQ(behaviour_.samples.size(), 1u);
}

TEST_F(RecordedDenoiserTest, GoesOnWhereNothingCanBeRecorded) {
  log_.refusal = [] { throw std::runtime_error("no recording here"); };
  for (int64_t rows = 1; rows <= 5; ++rows) {
    for (int i = 0; i < 3; ++i) {
      const Inputs inputs(rows);
      EXPECT_THAT(Run(inputs), TensorEquals(inputs.Expected()));
    }
  }
  EXPECT_EQ(log_.recorded, 3);                     // nobody asks again
  EXPECT_EQ(behaviour_.evaluated_rows.back(), 5);  // nor fills up
}

TEST_F(RecordedDenoiserTest, AKindThatCannotBeRecordedLeavesTheOthers) {
  const Inputs small(1);
  Run(small);
  Run(small);
  log_.refusal = [] { throw std::runtime_error("not this one"); };
  for (int i = 0; i < 4; ++i) Run(Inputs(2));
  EXPECT_EQ(log_.recorded, 2);  // once each
  EXPECT_EQ(denoiser_.recordings(), 1);
}

TEST_F(RecordedDenoiserTest, ARecordingThatDoesNotFitGivesBackWhatItTook) {
  const Inputs small(1);
  Run(small);
  Run(small);
  const int resets = log_.resets;
  log_.refusal = [] { throw std::bad_alloc(); };
  for (int i = 0; i < 4; ++i) {
    const Inputs inputs(2);
    EXPECT_THAT(Run(inputs), TensorEquals(inputs.Expected()));
  }
  EXPECT_EQ(log_.resets, resets + 1);
  log_.refusal = nullptr;
  for (const int64_t rows : {1, 2, 2}) {
    const Inputs inputs(rows);
    EXPECT_THAT(Run(inputs), TensorEquals(inputs.Expected()));
  }
  EXPECT_EQ(denoiser_.recordings(), 1);  // the small one, anew
}

TEST_F(RecordedDenoiserTest, AnEvaluationThatDoesNotFitGivesUpAllThatIsKept) {
  const Inputs small(1);
  Run(small);
  Run(small);
  const Inputs large(5);
  behaviour_.failure = [this] {
    if (log_.alive > 0) throw std::bad_alloc();
  };
  EXPECT_THAT(Run(large), TensorEquals(large.Expected()));
  EXPECT_EQ(log_.alive, 0);
  EXPECT_EQ(behaviour_.evaluated_rows.back(),
            5);  // with no row more than it needs
  behaviour_.failure = [] { throw std::bad_alloc(); };
  EXPECT_THROW(Run(large), std::bad_alloc);
  behaviour_.failure = nullptr;
  for (int i = 0; i < 3; ++i) {
    EXPECT_THAT(Run(small), TensorEquals(small.Expected()));
  }
  EXPECT_EQ(denoiser_.recordings(), 1);
}

TEST_F(RecordedDenoiserTest, MoreRowsThanEverMoveTheTextsElsewhere) {
  const Inputs few(2);
  const Inputs many(40);
  for (int i = 0; i < 3; ++i) {
    EXPECT_THAT(Run(few), TensorEquals(few.Expected()));
  }
  for (int i = 0; i < 3; ++i) {
    EXPECT_THAT(Run(many), TensorEquals(many.Expected()));
    EXPECT_THAT(Run(few), TensorEquals(few.Expected()));
  }
  EXPECT_EQ(denoiser_.recordings(), 2);
}

TEST_F(RecordedDenoiserTest, TextsOfOtherLengthsHaveMemoryOfTheirOwn) {
  const std::vector<Inputs> inputs = {Inputs(2), Inputs(2, 4, /*tokens=*/9)};
  for (int round = 0; round < 3; ++round) {
    for (const Inputs& input : inputs) {
      EXPECT_THAT(Run(input), TensorEquals(input.Expected()));
    }
  }
  EXPECT_EQ(denoiser_.recordings(), 2);
  for (int64_t tokens = 1; tokens <= 6; ++tokens) {
    const Inputs input(2, 4, tokens);
    EXPECT_THAT(Run(input), TensorEquals(input.Expected()));
  }
}

TEST_F(RecordedDenoiserTest, OneRequestsNonsenseEndsNoRecording) {
  Inputs nonsense(2);
  nonsense.sample.fill_(std::nan(""));
  const Inputs inputs(1);
  Run(nonsense);
  Run(nonsense);
  EXPECT_EQ(log_.recorded, 0);  // nothing to compare with
  // Nor do rows that were left behind.
  Run(Inputs(2));
  Inputs five(5);
  five.sample.fill_(std::nan(""));
  Run(Inputs(6));
  Run(five);
  const Inputs six(6);
  Run(six);
  EXPECT_THAT(Run(six), TensorEquals(six.Expected()));
  EXPECT_EQ(denoiser_.recordings(), 2);
}

TEST_F(RecordedDenoiserTest, GoesOnWhereReplaysAreWrong) {
  Run(Inputs(1));
  Run(Inputs(1));
  EXPECT_EQ(log_.alive, 1);
  behaviour_.replays_are_wrong = true;
  for (int i = 0; i < 3; ++i) {
    const Inputs inputs(2);
    EXPECT_THAT(Run(inputs), TensorEquals(inputs.Expected()));
  }
  EXPECT_EQ(log_.alive, 0);  // none is trusted any more
}

TEST_F(RecordedDenoiserTest, ForgetsWhatWasNotUsedForLong) {
  for (int64_t side = 1; side <= 33; ++side) {
    Run(Inputs(1, side));
    Run(Inputs(1, side));
    if (side > 1) Run(Inputs(1, /*side=*/1));
  }
  EXPECT_EQ(log_.alive, 32);
  EXPECT_EQ(log_.recorded, 33);
  Run(Inputs(1, /*side=*/1));  // in use all the time
  EXPECT_EQ(log_.recorded, 33);
}

}  // namespace
}  // namespace genzo
