#ifndef GENZO_WORKER_VISION_PICTURE_JUDGES_H_
#define GENZO_WORKER_VISION_PICTURE_JUDGES_H_

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/functional/function_ref.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "base/model_files.h"
#include "base/picture_config.h"
#include "worker/device/placement.h"
#include "worker/media/pixels.h"
#include "worker/vision/aesthetic_head.h"
#include "worker/vision/clip_scorer.h"
#include "worker/vision/safety_checker.h"

namespace genzo {

// Fields of GenerateRequest that a model's judges make possible, as
// Model.request_fields names them: "best_of" if there is a scorer/ in its
// folder, "safety_policy" if it has a safety_checker.
std::vector<std::string> JudgedFields(const ModelFiles& model);

// Scorers and safety checkers, the configured ones and those of models, each
// read when it is first asked for, and again once its files have changed.
// Beside the models' memory budget: a ViT-L takes 1.7 GB. Thread-safe; while
// one is read, others wait.
class PictureJudges {
 public:
  // They compute in float32 on `device`.
  PictureJudges(std::vector<ScorerConfig> scorers, std::string safety_checker,
                c10::Device device);

  // Where a model's own judges are, unless that is known.
  void KnowModel(const std::string& id, const ModelFiles& files)
      ABSL_LOCKS_EXCLUDED(mutex_);
  // They are elsewhere from now on.
  void AddModel(const std::string& id, const ModelFiles& files)
      ABSL_LOCKS_EXCLUDED(mutex_);
  // Its judges leave memory.
  void RemoveModel(const std::string& id) ABSL_LOCKS_EXCLUDED(mutex_);

  // Who scores: a configured scorer, or the own one of a model.
  struct Choice {
    std::string scorer;  // empty: that of `model`
    std::string model;
  };
  // PictureScore.score of each of `count` pictures, of which one at a time is
  // asked for and held. NOT_FOUND/SCORER_NOT_FOUND, NOT_FOUND/MODEL_NOT_FOUND,
  // FAILED_PRECONDITION/SCORER_FAILED, or why a picture is not to be had.
  using PictureAt = absl::FunctionRef<absl::StatusOr<Pixels>(size_t index)>;
  absl::StatusOr<std::vector<double>> Score(const Choice& choice,
                                            std::string_view prompt,
                                            size_t count, PictureAt picture_at)
      ABSL_LOCKS_EXCLUDED(mutex_);

  // What the model's safety checker says, or the one for models without.
  // FAILED_PRECONDITION/CHECKER_FAILED if there is neither, or its files cannot
  // be read.
  absl::StatusOr<SafetyVerdict> Check(const std::string& model,
                                      const Pixels& picture)
      ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  struct Scorer {
    std::unique_ptr<const ClipScorer> clip;
    std::optional<AestheticHead> head;
  };
  using ScorerRef = std::shared_ptr<const Scorer>;
  using CheckerRef = std::shared_ptr<const SafetyChecker>;

  // Of a model, found when it is first asked for them.
  struct Parts {
    std::optional<ComponentFiles> scorer;
    std::optional<ComponentFiles> checker;
    ComponentFiles extractor = ComponentFiles("");
  };
  struct Model {
    ModelFiles files;
    std::optional<Parts> parts;
  };

  // Opened when the files had the stamp.
  template <typename Judge>
  struct Opened {
    std::string stamp;
    std::shared_ptr<const Judge> judge;
  };

  // What the model has opened leaves memory.
  void CloseLocked(const Model& model) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::StatusOr<Parts> PartsLocked(Model& model)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::StatusOr<ScorerRef> OpenLocked(const ComponentFiles& clip,
                                       const std::string& head)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::StatusOr<ScorerRef> FindScorer(const Choice& choice)
      ABSL_LOCKS_EXCLUDED(mutex_);
  absl::StatusOr<CheckerRef> FindChecker(const std::string& model)
      ABSL_LOCKS_EXCLUDED(mutex_);

  const std::vector<ScorerConfig> scorers_;
  const std::string safety_checker_;
  const Placement placement_;
  absl::Mutex mutex_;
  std::map<std::string, Model> models_ ABSL_GUARDED_BY(mutex_);
  // By where they lie.
  std::map<std::string, Opened<Scorer>> open_scorers_ ABSL_GUARDED_BY(mutex_);
  std::map<std::string, Opened<SafetyChecker>> open_checkers_
      ABSL_GUARDED_BY(mutex_);
};

}  // namespace genzo

#endif  // GENZO_WORKER_VISION_PICTURE_JUDGES_H_
