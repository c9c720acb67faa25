#include "worker/engine/scoring_stage.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "base/errors.h"
#include "worker/device/thread_count.h"
#include "worker/engine/source_picture.h"
#include "worker/media/picture_decoder.h"

namespace genzo {
namespace {

constexpr absl::Duration kBusyRetry = absl::Seconds(5);

}  // namespace

ScoringStage::ScoringStage(PictureJudges& judges) : judges_(judges) {
  thread_.Add([] { UseThreads(1); });  // beside those that paint
}

void ScoringStage::Score(v1::ScoreRequest request, Done done) {
  {
    absl::MutexLock lock(&mutex_);
    if (waiting_ < kMostWaiting) {
      ++waiting_;
      thread_.Add([this, request = std::move(request), done = std::move(done)] {
        {
          absl::MutexLock lock(&mutex_);
          --waiting_;
        }
        done(ScoreNow(request));
      });
      return;
    }
  }
  done(RetryLaterError(
      "SCORING_BUSY", absl::StrCat(kMostWaiting, " calls wait to be scored"),
      kBusyRetry, /*metadata=*/{}, absl::StatusCode::kResourceExhausted));
}

absl::StatusOr<v1::ScoreResponse> ScoringStage::ScoreNow(
    const v1::ScoreRequest& request) {
  const auto read = [&](size_t i) -> absl::StatusOr<Pixels> {
    auto pixels = DecodePicture(
        request.pictures(static_cast<int>(i)).data(),
        {.max_bytes = kMaxSourceBytes, .max_pixels = kMaxSourcePixels});
    if (pixels.ok()) return pixels;
    return FaultOfField(absl::StrCat("pictures[", i, "].data"),
                        pixels.status());
  };
  const auto scores =
      judges_.Score({.scorer = request.scorer(), .model = request.model()},
                    request.prompt(), request.pictures_size(), read);
  if (!scores.ok()) return scores.status();
  v1::ScoreResponse response;
  for (const double score : *scores) response.add_scores()->set_score(score);
  return response;
}

}  // namespace genzo
