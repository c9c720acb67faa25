#include "server/models_watch.h"

#include <utility>

#include "base/logging.h"

namespace genzo {

ModelsWatch::ModelsWatch(ModelsFolder folder, absl::Duration interval,
                         std::function<void(const ModelConfig&)> on_model)
    : folder_(std::move(folder)),
      interval_(interval),
      on_model_(std::move(on_model)) {
  thread_ = std::thread([this] { Loop(); });
}

ModelsWatch::~ModelsWatch() {
  {
    absl::MutexLock lock(&mutex_);
    stopped_ = true;
  }
  thread_.join();
}

void ModelsWatch::Loop() {
  while (true) {
    {
      absl::MutexLock lock(&mutex_);
      if (mutex_.AwaitWithTimeout(absl::Condition(&stopped_), interval_)) {
        return;
      }
    }
    for (const ModelConfig& model : folder_.Scan()) {
      spdlog::info("model {} appears: {}", model.id, model.path);
      on_model_(model);
    }
  }
}

}  // namespace genzo
