#include "worker/vision/picture_judges.h"

#include <algorithm>
#include <exception>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/errors.h"
#include "base/file_stamp.h"
#include "c10/core/InferenceMode.h"
#include "worker/device/exception_status.h"
#include "worker/weights/model_index.h"

namespace genzo {
namespace {

constexpr char kScorer[] = "scorer";
constexpr char kChecker[] = "safety_checker";
constexpr char kConfig[] = "config.json";

bool HasPart(const ModelIndex& index, const char* name) {
  return index.FilesOf(name).At(kConfig).Exists();
}

absl::Status NoChecker(const std::string& model) {
  return ErrorWithReason(
      absl::StatusCode::kFailedPrecondition, "CHECKER_FAILED",
      absl::StrCat("model \"", model, "\" has no safety checker"));
}

std::string ScorerKey(const ComponentFiles& clip, const std::string& head) {
  return absl::StrCat(clip.path(), "\n", head);
}

absl::Status WithCode(const absl::Status& status, const char* reason) {
  return ErrorWithReason(absl::StatusCode::kFailedPrecondition, reason,
                         std::string(status.message()));
}

}  // namespace

std::vector<std::string> JudgedFields(const ModelFiles& model) {
  std::vector<std::string> fields;
  const auto index = OpenModelIndex(model);
  if (!index.ok()) return fields;
  if (HasPart(*index, kScorer)) fields.emplace_back("best_of");
  if (HasPart(*index, kChecker)) fields.emplace_back("safety_policy");
  return fields;
}

PictureJudges::PictureJudges(std::vector<ScorerConfig> scorers,
                             std::string safety_checker, c10::Device device)
    : scorers_(std::move(scorers)),
      safety_checker_(std::move(safety_checker)),
      placement_{.device = device, .dtype = c10::kFloat} {}

void PictureJudges::KnowModel(const std::string& id, const ModelFiles& files) {
  absl::MutexLock lock(&mutex_);
  models_.try_emplace(id, Model{.files = files, .parts = std::nullopt});
}

void PictureJudges::AddModel(const std::string& id, const ModelFiles& files) {
  absl::MutexLock lock(&mutex_);
  Model& model = models_[id];
  CloseLocked(model);
  model = {.files = files, .parts = std::nullopt};
}

void PictureJudges::RemoveModel(const std::string& id) {
  absl::MutexLock lock(&mutex_);
  const auto gone = models_.extract(id);
  if (gone) CloseLocked(gone.mapped());
}

void PictureJudges::CloseLocked(const Model& model) {
  if (!model.parts.has_value()) return;
  const auto& [scorer, checker, extractor] = *model.parts;
  // What another has in the same place is read again when it is asked for.
  if (scorer.has_value()) open_scorers_.erase(ScorerKey(*scorer, ""));
  if (checker.has_value()) open_checkers_.erase(checker->path());
}

absl::StatusOr<PictureJudges::Parts> PictureJudges::PartsLocked(Model& model) {
  if (model.parts.has_value()) return *model.parts;
  const auto index = OpenModelIndex(model.files);
  if (!index.ok()) return index.status();
  Parts parts;
  if (HasPart(*index, kScorer)) parts.scorer = index->FilesOf(kScorer);
  if (HasPart(*index, kChecker)) {
    parts.checker = index->FilesOf(kChecker);
    parts.extractor = index->FilesOf("feature_extractor");
  }
  model.parts = parts;
  return parts;
}

absl::StatusOr<PictureJudges::ScorerRef> PictureJudges::OpenLocked(
    const ComponentFiles& clip, const std::string& head) {
  auto& open = open_scorers_[ScorerKey(clip, head)];
  const std::string stamp =
      absl::StrCat(FileStamp(clip.path()), "\n", FileStamp(head));
  if (open.judge != nullptr && open.stamp == stamp) return open.judge;
  open = {};  // no longer in memory while the new one is read
  auto scorer = std::make_shared<Scorer>();
  auto towers = ClipScorer::Open(clip, placement_);
  if (!towers.ok()) return towers.status();
  scorer->clip = *std::move(towers);
  if (!head.empty()) {
    auto layers = AestheticHead::Open(head, scorer->clip->embedding_size());
    if (!layers.ok()) return layers.status();
    scorer->head = *std::move(layers);
  }
  open = {stamp, std::move(scorer)};
  return open.judge;
}

absl::StatusOr<PictureJudges::ScorerRef> PictureJudges::FindScorer(
    const Choice& choice) {
  absl::MutexLock lock(&mutex_);
  std::vector<std::string> names;
  for (const ScorerConfig& scorer : scorers_) {
    if (scorer.id == choice.scorer) {
      return OpenLocked(scorer.path, scorer.aesthetic_head);
    }
    names.push_back(scorer.id);
  }
  const auto not_found = [](const char* reason, const std::string& message) {
    return ErrorWithReason(absl::StatusCode::kNotFound, reason, message);
  };
  if (!choice.scorer.empty()) {
    return not_found(
        "SCORER_NOT_FOUND",
        absl::StrCat(
            "scorer \"", choice.scorer, "\" is not one of the server's: ",
            names.empty() ? "it has none" : absl::StrJoin(names, ", ")));
  }
  const auto model = models_.find(choice.model);
  if (model == models_.end()) {
    return not_found("MODEL_NOT_FOUND",
                     absl::StrCat("no model \"", choice.model, "\""));
  }
  const auto parts = PartsLocked(model->second);
  if (!parts.ok()) return parts.status();
  if (!parts->scorer.has_value()) {
    return not_found("SCORER_NOT_FOUND",
                     absl::StrCat("model \"", choice.model,
                                  "\" has no scorer; the server's are: ",
                                  absl::StrJoin(names, ", ")));
  }
  return OpenLocked(*parts->scorer, "");
}

absl::StatusOr<std::vector<double>> PictureJudges::Score(
    const Choice& choice, std::string_view prompt, size_t count,
    PictureAt picture_at) {
  c10::InferenceMode inference;
  try {
    const auto scorer = FindScorer(choice);
    if (absl::IsNotFound(scorer.status()) &&
        !ErrorReason(scorer.status()).empty()) {
      return scorer.status();
    }
    if (!scorer.ok()) return WithCode(scorer.status(), "SCORER_FAILED");
    const auto& [clip, head] = **scorer;
    const at::Tensor text =
        head.has_value() ? at::Tensor() : clip->EmbedText(prompt);
    std::vector<double> scores;
    for (size_t i = 0; i < count; ++i) {
      const auto picture = picture_at(i);
      if (!picture.ok()) return picture.status();
      const at::Tensor seen = clip->EmbedPicture(*picture);
      scores.push_back(head.has_value()
                           ? head->forward(seen).item<double>()
                           : 100 * CosineSimilarity(seen, text).item<double>());
    }
    return scores;
  } catch (const std::exception&) {
    return WithReason(StatusFromException("scoring failed"), "JUDGING_FAILED");
  }
}

absl::StatusOr<PictureJudges::CheckerRef> PictureJudges::FindChecker(
    const std::string& model) {
  absl::MutexLock lock(&mutex_);
  ComponentFiles checker(safety_checker_);
  ComponentFiles extractor(safety_checker_);
  const auto found = models_.find(model);
  if (found != models_.end()) {
    const auto parts = PartsLocked(found->second);
    if (parts.ok() && parts->checker.has_value()) {
      checker = *parts->checker;
      extractor = parts->extractor;
    }
  }
  if (checker.path().empty()) return NoChecker(model);
  auto& open = open_checkers_[checker.path()];
  std::string stamp = FileStamp(checker.path());
  if (extractor.path() != checker.path()) {
    absl::StrAppend(&stamp, "\n", FileStamp(extractor.path()));
  }
  if (open.judge != nullptr && open.stamp == stamp) return open.judge;
  open = {};  // no longer in memory while the new one is read
  auto opened = SafetyChecker::Open(checker, extractor, placement_);
  if (!opened.ok()) return opened.status();
  open = {stamp, *std::move(opened)};
  return open.judge;
}

absl::StatusOr<SafetyVerdict> PictureJudges::Check(const std::string& model,
                                                   const Pixels& picture) {
  c10::InferenceMode inference;
  try {
    const auto checker = FindChecker(model);
    if (!checker.ok()) return WithCode(checker.status(), "CHECKER_FAILED");
    return (*checker)->Check(picture);
  } catch (const std::exception&) {
    return WithReason(StatusFromException("the safety check failed"),
                      "JUDGING_FAILED");
  }
}

}  // namespace genzo
