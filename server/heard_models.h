#ifndef GENZO_SERVER_HEARD_MODELS_H_
#define GENZO_SERVER_HEARD_MODELS_H_

#include <functional>
#include <optional>
#include <string>
#include <utility>

#include "queue/model_control.h"

namespace genzo {

// Loads and unloads a pool's models, and tells which have come. Thread-safe.
class HeardModels : public ModelControl {
 public:
  using Loaded = std::function<void(const std::string& id)>;

  // `pool` outlives it. `loaded` hears on a thread of the pool's, before who
  // asked does.
  HeardModels(ModelControl& pool, Loaded loaded)
      : pool_(pool), loaded_(std::move(loaded)) {}

  void Load(const std::string& id, std::optional<bool> pinned,
            Done done) override {
    pool_.Load(id, pinned, [this, id, done](const absl::Status& status) {
      if (status.ok()) loaded_(id);
      done(status);
    });
  }
  void Unload(const std::string& id, Done done) override {
    pool_.Unload(id, std::move(done));
  }

 private:
  ModelControl& pool_;
  const Loaded loaded_;
};

}  // namespace genzo

#endif  // GENZO_SERVER_HEARD_MODELS_H_
