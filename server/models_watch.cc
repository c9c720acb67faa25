#include "server/models_watch.h"

#include <utility>

#include "base/logging.h"

namespace genzo {

ModelsWatch::ModelsWatch(ModelsFolder folder, absl::Duration interval,
                         Listener listener)
    : folder_(std::move(folder)),
      listener_(std::move(listener)),
      looks_(/*tick=*/[this] { Look(); }, interval) {}

void ModelsWatch::Look() {
  const ModelsFolder::Found found = folder_.Look();
  for (const std::string& id : found.gone) {
    if (closed_) return;
    spdlog::info("model {} is gone", id);
    listener_.gone(id);
  }
  for (const ModelConfig& model : found.fresh) {
    if (closed_) return;
    spdlog::info("model {} appears: {}", model.id, model.path);
    listener_.appeared(model);
  }
}

}  // namespace genzo
