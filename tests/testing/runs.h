#ifndef GENZO_TESTS_TESTING_RUNS_H_
#define GENZO_TESTS_TESTING_RUNS_H_

#include <memory>
#include <vector>

#include "ATen/ops/full.h"
#include "gtest/gtest.h"
#include "tests/testing/test_folder.h"
#include "worker/engine/evaluate.h"
#include "worker/engine/run.h"
#include "worker/pipeline/pipeline_table.h"

namespace genzo {

// The tiny model with random weights, in float32.
inline const Pipeline& TinyPipeline() {
  static const Pipeline* const model =
      LoadPipeline(TinyModelFolder(), Placement())->release();
  return *model;
}

// The run of the request's first image; a grey picture for image-to-image.
inline Run MakeRunOf(const Pipeline& pipeline,
                     const v1::GenerateRequest& request) {
  TextCache texts(/*max_bytes=*/1 << 20);
  EncodeTask task = {.request = request};
  if (request.has_image_to_image()) {
    task.picture = at::full(
        {1, 3, static_cast<int64_t>(request.height()), request.width()}, 0.5);
  }
  const auto encoded = pipeline.Encode({task}, /*together=*/true, texts);
  return Run(
      *pipeline.Plan({.request = request,
                      .noise = std::make_shared<SeededNoise>(request.seed())},
                     *encoded[0]));
}

// Steps all runs together until each is done, as the engine does.
inline void FinishRuns(std::vector<Run>& runs) {
  PreparedJoiner joiner;
  while (true) {
    std::vector<Run*> live;
    for (Run& run : runs) {
      if (!run.finished()) live.push_back(&run);
    }
    if (live.empty()) return;
    const auto predictions = Evaluate(live, joiner);
    ASSERT_TRUE(predictions.ok()) << predictions.status();
    for (size_t i = 0; i < live.size(); ++i) {
      ASSERT_TRUE(live[i]->Take((*predictions)[i]).ok());
    }
  }
}

// Where the runs of `requests` end that go in step with each other: at each
// step the one of that number predicts for all.
inline at::Tensor SwitchedByHand(
    const Pipeline& pipeline, const std::vector<v1::GenerateRequest>& requests,
    const std::vector<size_t>& of_step) {
  std::vector<Run> runs;
  for (const auto& request : requests) {
    runs.push_back(MakeRunOf(pipeline, request));
  }
  PreparedJoiner joiner;
  for (const size_t number : of_step) {
    const auto predicted = Evaluate({&runs[number]}, joiner);
    EXPECT_TRUE(predicted.ok()) << predicted.status();
    for (Run& run : runs) EXPECT_TRUE(run.Take((*predicted)[0]).ok());
  }
  EXPECT_TRUE(runs[0].finished());
  return runs[0].latent();
}

}  // namespace genzo

#endif  // GENZO_TESTS_TESTING_RUNS_H_
