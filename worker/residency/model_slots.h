#ifndef GENZO_WORKER_RESIDENCY_MODEL_SLOTS_H_
#define GENZO_WORKER_RESIDENCY_MODEL_SLOTS_H_

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/config.h"
#include "queue/model_control.h"
#include "worker/residency/eviction.h"

namespace genzo {

// Which of a device's models are in memory, which come and which go: all rules
// of it and nothing else. No thread, no lock, no clock, no model: ModelLoader
// does what Next() says and keeps the pointers.
//
//   unloaded -> ordered -> loading -> news -> measuring -> ready -> leaving -.
//      ^-----------------------------------------------------------------------'
//
// "News" is in memory and the engine has not heard of it; it is being measured
// until the engine says Ready(). A model leaves when it was told to, or when an
// ordered one needs its place, and is gone once nobody holds it.
//
// One that nobody has asked for, but that is to be known, is loaded if that
// takes nobody's place. Else it is described by its files' heads and stays
// unloaded until somebody asks: of ten models in a folder and room for two, two
// are loaded and eight described.
//
// Promises. Whoever calls Load() or Unload() is answered exactly once, whatever
// comes between. An Unload() overtakes the Load()s before it, which hear
// ABORTED/UNLOADED; a Load() behind an Unload() brings the model back once it
// is gone. Orders are served as they came, but one that waits for a model in
// use does not keep those waiting that fit beside it. A model that is ready
// does not leave for newer files of its own before these were looked at and
// found sound.
class ModelSlots {
 public:
  using Done = ModelControl::Done;
  // Whoever is to hear something now. Call them where no lock is held.
  using Answers = std::vector<std::pair<Done, absl::Status>>;

  // What is to be done, by one thread, one after the other.
  struct Task {
    enum class Kind {
      kSize,        // read how many bytes it takes: Sized() or Failed()
      kVet,         // the same of files newer than those in memory: Vetted()
      kDescribe,    // there is no room: Described() or Failed()
      kLoad,        // there is room: Loaded() or Failed()
      kFree,        // nobody holds it: Freed()
      kRefuse,      // it cannot fit, as `status` says: Failed()
      kFreeBeside,  // what is idle beside models is in the way: `uses` of it
    };
    Kind kind = Kind::kSize;
    std::string id;
    ModelFiles files = {};
    int64_t bytes = 0;                // kLoad, kDescribe: of weights
    std::string makes_room_for = {};  // kFree: whom, if for anybody
    absl::Status status = {};         // kRefuse
    std::vector<int64_t> uses = {};   // kFreeBeside; empty: look again
  };

  // `keeps_activations`: a model keeps the memory of its evaluations between
  // them, as on a GPU.
  ModelSlots(const std::vector<ModelConfig>& models, int64_t budget_bytes,
             bool keeps_activations);

  // One more model, or one whose files are others now: it is ordered unless it
  // is in memory, and ordered anew if it is ready and its new files are sound.
  // `only_if_room`: described where others would have to leave for it, unless
  // somebody asks for it.
  void Add(const ModelConfig& model, bool only_if_room = false);

  // Wants the model in memory some time. Nothing if it is, or is to be.
  void Request(const std::string& id);
  // Answers once it is ready. NOT_FOUND/MODEL_NOT_FOUND, UNAVAILABLE/DRAINING,
  // ABORTED/UNLOADED, or why it failed.
  [[nodiscard]] Answers Load(const std::string& id, std::optional<bool> pinned,
                             const Done& done);
  // Unless it is OK, whoever waits for a model that is not ready, now or until
  // it is OK again, hears `why` at once, and nothing is loaded. Orders stand.
  [[nodiscard]] Answers RefuseLoads(const absl::Status& why);
  // Nobody can take hold of it any more; those who have it keep it. Answers
  // once it is gone.
  [[nodiscard]] Answers Unload(const std::string& id, const Done& done);

  // No such model any more: as Unload(), and then nobody knows it. Who waits
  // for it hears MODEL_NOT_FOUND. Nothing if there is none.
  [[nodiscard]] Answers Remove(const std::string& id);

  // The next task, if there is one. To be reported before asking again. `idle`
  // is what could leave beside the models. Of files that are not the model's
  // any more, sizes and failures are no news.
  std::optional<Task> Next(const std::vector<IdleBeside>& idle = {});
  void Sized(const Task& task, const ModelBytes& weight_bytes);
  void Described(const Task& task);
  void Loaded(const std::string& id);
  [[nodiscard]] Answers Failed(const Task& task, const absl::Status& status);
  // If they cannot be loaded, what is in memory stays, until the model is told
  // to leave or of other files; or memory is free that they lacked.
  void Vetted(const Task& task, const absl::StatusOr<ModelBytes>& weight_bytes);
  [[nodiscard]] Answers Freed(const std::string& id);

  // The news, each held once from now on and being measured.
  std::vector<std::string> TakeNews();
  [[nodiscard]] Answers Ready(const std::string& id, int64_t activation_bytes);
  // It could not be measured: it fails and leaves.
  [[nodiscard]] Answers Reject(const std::string& id,
                               const absl::Status& status);

  // False unless it is ready; otherwise it stays until as many Release()s.
  bool Hold(const std::string& id);
  void Release(const std::string& id);

  // Every other call is refused from now on; what waits hears DRAINING.
  [[nodiscard]] Answers Stop();
  bool stopped() const { return stopped_; }

  bool HasNews() const;
  // Whether anything is to come, to go, to be vetted or to be measured.
  bool UnderWay() const;
  bool Leaving(const std::string& id) const;
  bool Pinned(const std::string& id) const;
  std::set<std::string> ReadyIds() const;
  // Why it is not in memory; OK unless it failed. That it did not fit is
  // forgotten when that may have changed.
  absl::Status Failure(const std::string& id) const;
  // Why newer files of a model do not take the place of its own, which comes
  // back with these when it only makes room; OK if nothing is known.
  absl::Status NewerFailure(const std::string& id) const;
  // What the models in memory leave of the budget to an evaluation of `id`.
  int64_t BytesLeft(const std::string& id) const;

  // Whether things beside the models have so many more bytes of the budget: OK
  // once they do; UNAVAILABLE while others leave for them, models and those of
  // `idle` that `uses` names, the longest unused first: ask again when these
  // have left. RESOURCE_EXHAUSTED/DOES_NOT_FIT if all else is in use.
  //
  // With a `user`, a model that the bytes are for, those in use leave as well,
  // once they are done, but for it; it is UNAVAILABLE until then, forever if
  // the bytes are more than MostBeside().
  struct Room {
    absl::Status status;
    std::vector<int64_t> uses = {};
  };
  Room ReserveBeside(int64_t bytes, const std::vector<IdleBeside>& idle,
                     const std::string& user = "");
  // What there ever can be beside that model and those that are pinned.
  int64_t MostBeside(const std::string& user) const;
  // They take so many bytes now.
  void SetBeside(int64_t bytes);
  int64_t beside() const { return beside_bytes_; }
  // The number of a use, greater than those of all before it, models' too.
  int64_t NextUse() { return ++uses_; }

 private:
  enum class State {
    kUnloaded,
    kOrdered,
    kLoading,
    kNews,
    kMeasuring,
    kReady,
    kLeaving
  };
  struct Slot {
    bool in_memory() const { return state >= State::kLoading; }
    ModelBytes bytes() const {
      ModelBytes bytes = weight_bytes.value_or(0);
      bytes.all += activation_bytes;
      return bytes;
    }

    ModelFiles files;
    std::optional<ModelFiles> newer;  // to take their place
    absl::Status newer_failure;       // once vetted: why they do not
    bool pinned = false;
    State state = State::kUnloaded;
    bool unwanted = false;      // kLoading: leaves as soon as it is there
    bool removed = false;       // kLoading, kLeaving: unknown once it is gone
    bool again = false;         // kLoading, kLeaving: ordered anew once gone
    bool only_if_room = false;  // kOrdered: nobody has asked for it
    // Was ready or described once: requests for it can be checked.
    bool introduced = false;
    int holders = 0;
    int64_t last_used = 0;
    std::optional<ModelBytes> weight_bytes;  // since it was ordered
    int64_t activation_bytes = 0;            // the last measured
    std::string makes_room_for;              // kLeaving
    absl::Status failure;
    std::vector<Done> loads;    // wait until it is ready
    std::vector<Done> unloads;  // wait until it is gone
  };

  // Why nothing is done for `id`; OK if something is.
  absl::Status Refusal(const std::string& id) const;
  void Order(const std::string& id, Slot& slot);
  void Leave(Slot& slot);
  // Its newer files, if there are any, are those of its next load.
  static bool TakeNewer(Slot& slot);
  void SetPinned(Slot& slot, bool pinned);
  // What did not fit may fit now. A model that nobody knows yet is ordered
  // again, as nobody else can ask for it.
  void ForgetMisfits();
  std::optional<Task> NextFree() const;
  std::optional<Task> NextVet() const;
  std::optional<Task> NextLoad(const std::vector<IdleBeside>& idle);
  // All that is in memory and is not leaving, and `idle`.
  std::vector<Resident> Residents(const std::vector<IdleBeside>& idle) const;
  // Has those of `chosen` leave that are models. Returns the others' uses.
  std::vector<int64_t> LeaveFor(const std::string& id,
                                const std::vector<std::string>& chosen,
                                const std::vector<IdleBeside>& idle);
  BytesTogether InMemory() const;
  // Of what stands beside the models: what is not idle.
  int64_t InUseBeside(const std::vector<IdleBeside>& idle) const;
  // What is in use beside models stays: the budget without it.
  int64_t LeftBeside() const { return budget_bytes_ - in_use_beside_; }
  // Whether a model of so many bytes can take its place now.
  absl::Status FitsInPlaceOf(const std::string& id,
                             const ModelBytes& bytes) const;

  const int64_t budget_bytes_;
  const bool keeps_activations_;
  bool stopped_ = false;
  absl::Status loads_refused_;
  int64_t beside_bytes_ = 0;
  int64_t in_use_beside_ = 0;  // of them, at the last Next()
  bool beside_asked_ = false;  // to make room, since the last order
  int64_t uses_ = 0;
  std::map<std::string, Slot> slots_;
  std::deque<std::string> orders_;  // those in kOrdered, the oldest first
};

}  // namespace genzo

#endif  // GENZO_WORKER_RESIDENCY_MODEL_SLOTS_H_
