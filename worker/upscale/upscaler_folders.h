#ifndef GENZO_WORKER_UPSCALE_UPSCALER_FOLDERS_H_
#define GENZO_WORKER_UPSCALE_UPSCALER_FOLDERS_H_

#include <list>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "base/upscaler_catalog.h"
#include "base/watched_folders.h"
#include "c10/core/Device.h"
#include "worker/upscale/upscaler.h"

namespace genzo {

// Keeps a catalog of what lies in folders: *.safetensors and *.pth files, by
// their names in lower case with "-" for what a name cannot have. What is no
// upscaler, or cannot be read, is left out, and the log says so; so are second
// ones of a name. For one thread at a time.
class UpscalerFolders {
 public:
  // Looks. `catalog` outlives it.
  UpscalerFolders(std::vector<std::string> folders, UpscalerCatalog& catalog);

  // Finds what is new, has changed or is gone.
  void Look();

 private:
  void Add(const WatchedFolders::Entry& entry);
  void Remove(const std::string& path);

  WatchedFolders folders_;
  UpscalerCatalog& catalog_;
  std::map<std::string, std::string> stamps_;  // by path
  std::map<std::string, std::string> names_;   // of those in the catalog
};

// Upscalers in memory: those that were used last. For one thread.
class LoadedUpscalers {
 public:
  static constexpr size_t kMost = 2;

  // `catalog` outlives it.
  LoadedUpscalers(const UpscalerCatalog& catalog, const c10::Device& device)
      : catalog_(catalog), device_(device) {}

  // With the network of that name, null for a filter. NOT_FOUND, or as
  // LoadUpscaler().
  struct Loaded {
    v1::Upscaler upscaler;
    std::shared_ptr<const Upscaler> network;
  };
  absl::StatusOr<Loaded> Get(const std::string& name);

 private:
  const UpscalerCatalog& catalog_;
  const c10::Device device_;
  std::list<std::pair<std::string, std::shared_ptr<const Upscaler>>>
      networks_;  // by Entry::id, the last used first
};

}  // namespace genzo

#endif  // GENZO_WORKER_UPSCALE_UPSCALER_FOLDERS_H_
