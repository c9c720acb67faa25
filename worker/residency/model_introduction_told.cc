// What the catalog, the metrics and the pool are told of the models.

#include <algorithm>
#include <utility>

#include "base/logging.h"
#include "base/model_fingerprint.h"
#include "worker/kernels/row_bits.h"
#include "worker/residency/model_description.h"
#include "worker/residency/model_introduction.h"
#include "worker/text/embedding_folders.h"
#include "worker/vision/picture_judges.h"

namespace genzo {

bool ModelIntroduction::NameBeside(v1::Model& description) const {
  const auto fits = fits_.find(description.id());
  if (fits == fits_.end()) return false;
  const auto name = [](const std::vector<std::string>& names, auto& told) {
    if (std::equal(names.begin(), names.end(), told.begin(), told.end())) {
      return false;
    }
    told.Assign(names.begin(), names.end());
    return true;
  };
  const bool controls = name(side_networks_.ControlsFor(fits->second.control),
                             *description.mutable_controlnets());
  const bool adapters = name(side_networks_.AdaptersFor(fits->second.picture),
                             *description.mutable_ip_adapters());
  const bool words =
      dependencies_.embeddings != nullptr &&
      NameEmbeddings(fits->second.text_widths,
                     *dependencies_.embeddings->library(), description);
  return controls || adapters || words;
}

// What is so whether it is in memory or not.
v1::Model& ModelIntroduction::Learn(const std::string& id,
                                    const Pipeline& model,
                                    const ModelFiles& files) {
  v1::Model& description = descriptions_[id];
  description = DescribeModel(id, model, config_);
  fits_[id] = {.control = model.traits().control_fit,
               .picture = model.traits().picture_fit,
               .text_widths = model.traits().text_widths};
  NameBeside(description);
  description.set_fingerprint(ModelFingerprint(files));
  for (std::string& field : JudgedFields(files)) {
    description.add_request_fields(std::move(field));
  }
  dependencies_.metrics.SetModelInfo(
      id, {.family = description.family(),
           .dtype = description.dtype(),
           .fingerprint = description.fingerprint()});
  if (dependencies_.loras != nullptr) {
    dependencies_.loras->AddModel(id, model.adapter_targets());
  }
  return description;
}

void ModelIntroduction::CompareWithOthers(const ModelLoader::Loaded& loaded) {
  // While this device has said that it holds the model, that is what is told.
  const v1::Model::State own = descriptions_[loaded.id].state();
  const auto told = dependencies_.catalog.Get(loaded.id);
  if (own == v1::Model::STATE_RESIDENT || !told.ok() ||
      told->state() != v1::Model::STATE_RESIDENT ||
      told->fingerprint() == ModelFingerprint(loaded.files)) {
    return;
  }
  spdlog::warn(
      "model {} on device {} is of other files than on another one, which were "
      "replaced since that loaded it: UnloadModel and LoadModel make them one",
      loaded.id, device_.index);
}

void ModelIntroduction::Know(const ModelLoader::Described& known) {
  if (gone_.count(known.id) > 0) return;
  v1::Model& description = Learn(known.id, *known.model, known.files);
  description.set_weight_bytes(known.weight_bytes);
  Describe(known.id, StateOf(description));
}

void ModelIntroduction::Introduce(const ModelLoader::Loaded& loaded,
                                  const StepProfile& profile) {
  const Pipeline& model = *loaded.model;
  profile_of_[loaded.id] = profile;
  kept_row_bits_ = RowBitsCount();
  CompareWithOthers(loaded);
  Learn(loaded.id, model, loaded.files);
  dependencies_.load.speeds().SetSpeed(
      device_.index, loaded.id,
      {.costs = profile.costs,
       .own_pixels =
           model.traits().default_width * model.traits().default_height,
       .largest_batch = config_.max_batch_rows,
       .decode = profile.decode,
       .evaluations = CountEvaluations(model.traits())});
  ModelMetrics& metrics = dependencies_.metrics.ForModel(loaded.id);
  metrics.row_cap.Set(profile.costs.RowCap(config_.max_batch_rows));
  metrics.activation_bytes.Set(static_cast<double>(profile.activation_bytes));
  for (const auto& [rows, duration] : profile.costs.measured()) {
    metrics.ProfileSeconds(rows).Set(absl::ToDoubleSeconds(duration));
  }
  // Before those who wait for it hear.
  Describe(loaded.id, v1::Model::STATE_RESIDENT);
  loader_.Ready(loaded.id, profile.activation_bytes);
}

// What the registry says follows what is true now.
void ModelIntroduction::Tell() {
  ready_ = loader_.ReadyIds();
  TellMissing();
  for (auto& [id, description] : descriptions_) {
    if (gone_.count(id) > 0) continue;
    const bool others = NameBeside(description);
    const v1::Model::State state = StateOf(description);
    if (others || description.state() != state ||
        description.error().message() != ErrorOf(id, state).message() ||
        description.pinned() != loader_.Pinned(id)) {
      Describe(id, state);
    }
  }
}

// To predictions.
void ModelIntroduction::TellMissing() {
  MissingModels missing = loader_.MissingLoads();
  std::erase_if(missing,
                [&](const auto& one) { return gone_.count(one.first) > 0; });
  if (missing == missing_) return;
  missing_ = missing;
  dependencies_.load.backlog().SetMissing(device_.index, std::move(missing));
}

v1::Model::State ModelIntroduction::StateOf(
    const v1::Model& description) const {
  if (ready_.count(description.id()) > 0) return v1::Model::STATE_RESIDENT;
  if (!loader_.Failure(description.id()).ok()) return v1::Model::STATE_FAILED;
  return description.has_limits() ? v1::Model::STATE_UNLOADED
                                  : v1::Model::STATE_LOADING;
}

absl::Status ModelIntroduction::ErrorOf(const std::string& id,
                                        v1::Model::State state) const {
  return state == v1::Model::STATE_FAILED ? loader_.Failure(id)
                                          : loader_.NewerFailure(id);
}

void ModelIntroduction::Count(const std::string& id, v1::Model::State state) {
  ModelMetrics& metrics = dependencies_.metrics.ForModel(id);
  metrics.loaded.Set(state == v1::Model::STATE_RESIDENT ? 1 : 0);
  metrics.failed.Set(state == v1::Model::STATE_FAILED ? 1 : 0);
}

void ModelIntroduction::Describe(const std::string& id,
                                 v1::Model::State state) {
  if (gone_.count(id) > 0) return;
  v1::Model& description = descriptions_[id];
  description.set_state(state);
  description.clear_error();
  const absl::Status error = ErrorOf(id, state);
  if (!error.ok()) *description.mutable_error() = ToRpcStatus(error);
  description.set_pinned(loader_.Pinned(id));
  Count(id, state);
  v1::Model told = description;
  if (state != v1::Model::STATE_RESIDENT) told.clear_weight_bytes();
  dependencies_.catalog.Put(told, device_.index);
}

}  // namespace genzo
