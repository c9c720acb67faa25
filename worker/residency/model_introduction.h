#ifndef GENZO_WORKER_RESIDENCY_MODEL_INTRODUCTION_H_
#define GENZO_WORKER_RESIDENCY_MODEL_INTRODUCTION_H_

#include <atomic>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <variant>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/synchronization/mutex.h"
#include "base/config.h"
#include "genzo/v1/model_registry.pb.h"
#include "worker/residency/engine_device.h"
#include "worker/residency/model_loader.h"
#include "worker/residency/profile_measurement.h"
#include "worker/residency/side_networks.h"
#include "worker/residency/step_profile.h"

namespace genzo {

// The models of one engine, and what the rest of the world knows of them: the
// loader loads them, and here they are measured, their speed told to the pool,
// their state to the catalog and the metrics. But for loader(), for the
// engine's thread alone, as measuring runs the model.
class ModelIntroduction {
 public:
  using OnOtherFiles =
      std::function<void(const std::string& id, const ModelFiles& files)>;

  // All configured models are "loading" at once, so that an early request does
  // not hear "unknown". `on_unloaded` is called on the loading thread after a
  // model left memory, `on_other_files` on the engine's before a model can be
  // used that was loaded from others than those it was known by. `config` and
  // `dependencies` outlive this.
  ModelIntroduction(const Config& config, const EngineDevice& device,
                    const EngineDependencies& dependencies,
                    std::function<void()> on_unloaded,
                    OnOtherFiles on_other_files);

  // Loads and adopts all configured models, unless `stopping` becomes true.
  void LoadConfigured(const std::atomic<bool>& stopping);

  // One more model, or other files of one, to be loaded, or described if there
  // is no room; Adopt() adopts it. Any thread.
  void Add(const ModelConfig& model) ABSL_LOCKS_EXCLUDED(mutex_);

  // Such a model is there no more. Any thread.
  void Remove(const std::string& id) ABSL_LOCKS_EXCLUDED(mutex_);

  // Looks for networks and embeddings that are new or gone; Adopt() tells of
  // them. For one thread at a time.
  void LookBeside();

  // What else stands beside the models; null: nothing any more. Any thread.
  void SetAdapters(BesideModels* adapters) ABSL_LOCKS_EXCLUDED(beside_mutex_);

  // Goes on measuring what was loaded since, by one evaluation at most, and
  // tells everybody what has changed. Costs nothing if nothing has. If others
  // run meanwhile (`busy`), the evaluation takes no longer than one of theirs:
  // what would is left out, and made up for once nobody is busy. So is what
  // other programs on the machine disturbed, now and then until they do not.
  void Adopt(bool busy);

  // Whether there is more to measure: Adopt() should be called again soon.
  bool measuring() const;

  // Models that there are.
  size_t count() const { return descriptions_.size() - gone_.size(); }

  // Models that jobs could use when Adopt() last looked.
  const std::set<std::string>& ready() const { return ready_; }

  // What was measured of a model that was adopted before.
  const StepProfile& profile(const std::string& id) const {
    return profile_of_.at(id);
  }

  // Rows of pictures of `pixels` pixels that the memory budget has room for
  // now, at least 1; of a model that was adopted before.
  int RowsThatFit(const std::string& id, int64_t pixels) const;

  // How many such pictures it has room to decode at once, at least 1.
  int PicturesThatFit(const std::string& id, int64_t pixels) const;

  // OK if a picture of `pixels` pixels, evaluated in `rows` rows, can be
  // painted when nothing else is in memory; RESOURCE_EXHAUSTED/DOES_NOT_FIT if
  // the system would end the process for it. Devices other than the CPU say so
  // themselves.
  absl::Status Fits(const std::string& id, int64_t pixels, int rows) const;

  // Rows of every evaluation with a REPRODUCIBLE run of such a model on a
  // device where bits depend on their number: the same while the model is in
  // memory, whatever else is, and again after a restart. If the memory is not
  // there, the run is refused. (A profile made while others ran is not yet
  // whole, and such a model's rows are fixed when it is.)
  int ReproducibleRows(const std::string& id, int64_t pixels) const;

  ModelLoader& loader() { return loader_; }
  // As long as this.
  SpareMemory spare_memory();

  // The networks beside them. As thread-safe as it says.
  SideNetworks& side_networks() { return side_networks_; }

 private:
  // A model that is being measured.
  struct Measurement {
    ModelLoader::Loaded loaded;
    std::string key;       // of its profile
    bool again;            // it is in use already, with a provisional profile
    absl::Duration pause;  // that came before it
    std::unique_ptr<ProfileMeasurement> measurement;
  };

  // When a model is to be measured once more.
  struct Again {
    absl::Time due;
    absl::Duration pause;  // before the time after that
  };

  // What networks and embeddings must fit.
  struct BesideFits {
    std::string control, picture;
    std::vector<int64_t> text_widths;
  };

  std::vector<IdleBeside> IdleOfAll() ABSL_LOCKS_EXCLUDED(beside_mutex_);
  void DropOfAll(const std::vector<int64_t>& uses)
      ABSL_LOCKS_EXCLUDED(beside_mutex_);
  // Whether others fit than the description says, which then says these.
  bool NameBeside(v1::Model& description) const;
  // Longest evaluation between the steps of others.
  absl::Duration Patience(bool busy, absl::Time now) const;
  void TakeNewsOfFiles() ABSL_LOCKS_EXCLUDED(mutex_);
  // Whether anything was finished.
  bool Measure(bool busy, absl::Time now);
  bool BeginNext(bool busy, absl::Time now);
  // Of provisional_: one whose time has come, or its end.
  std::map<std::string, Again>::const_iterator Due(absl::Time now) const;
  void Begin(ModelLoader::Loaded loaded, bool again, absl::Duration pause);
  // Does `work` on a model; an exception fails that model alone, one that is in
  // use already only goes on with the profile it has.
  void OrReject(std::string id, bool again, const std::function<void()>& work);
  void Finish();
  void KeepRowBits();
  void Tell();
  void TellMissing();
  double AreaOf(const std::string& id, int64_t pixels) const;
  std::string KeyOf(const std::string& id) const;
  v1::Model& Learn(const std::string& id, const Pipeline& model,
                   const ModelFiles& files);
  // Warns if another device paints with other files under the id: they were
  // replaced between the two loads.
  void CompareWithOthers(const ModelLoader::Loaded& loaded);
  // Of one that is not loaded before somebody asks for it.
  void Know(const ModelLoader::Described& known);
  void Introduce(const ModelLoader::Loaded& loaded, const StepProfile& profile);
  void Describe(const std::string& id, v1::Model::State state);
  // To the metrics.
  void Count(const std::string& id, v1::Model::State state);
  v1::Model::State StateOf(const v1::Model& description) const;
  // What is told beside that: why it failed, or its newer files.
  absl::Status ErrorOf(const std::string& id, v1::Model::State state) const;

  const Config& config_;
  const EngineDevice device_;
  const EngineDependencies dependencies_;
  const OnOtherFiles on_other_files_;
  const ProfileStore profiles_;
  std::map<std::string, ModelFiles> files_;        // by model, as last loaded
  std::map<std::string, v1::Model> descriptions_;  // of models seen so far
  std::set<std::string> ready_;
  MissingModels missing_;                          // as told
  std::map<std::string, StepProfile> profile_of_;  // by model
  size_t kept_row_bits_ = 0;  // layers, when profiles were last written
  // Models to be measured again at leisure.
  std::map<std::string, Again> provisional_;
  absl::Time left_ = absl::InfinitePast();  // when Adopt() last returned, busy
  std::atomic<bool> changed_{true};         // since Adopt() last looked
  absl::Mutex mutex_;
  // In their order: a model, or the id of one that is gone.
  std::vector<std::variant<ModelConfig, std::string>> news_of_files_
      ABSL_GUARDED_BY(mutex_);
  std::set<std::string> gone_;              // nobody is told of these
  std::map<std::string, BesideFits> fits_;  // of models seen so far
  absl::Mutex beside_mutex_;
  BesideModels* adapters_ ABSL_GUARDED_BY(beside_mutex_) = nullptr;
  std::shared_ptr<const EmbeddingLibrary> seen_library_;  // LookBeside()'s own
  SideNetworks side_networks_;            // takes memory of the loader's
  ModelLoader loader_;                    // its thread calls back
  std::deque<ModelLoader::Loaded> news_;  // to be measured; before loader_ goes
  std::optional<Measurement> current_;
};

}  // namespace genzo

#endif  // GENZO_WORKER_RESIDENCY_MODEL_INTRODUCTION_H_
