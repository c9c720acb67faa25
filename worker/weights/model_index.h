#ifndef GENZO_WORKER_WEIGHTS_MODEL_INDEX_H_
#define GENZO_WORKER_WEIGHTS_MODEL_INDEX_H_

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "base/model_files.h"
#include "worker/device/placement.h"
#include "worker/weights/component_files.h"

namespace genzo {

// What a model consists of: the pipeline's class and, for each component, its
// class and its files. Of a folder in the diffusers layout, where
// model_index.json says so, or of a single file, whose keys and shapes do. A
// pipeline cannot tell the two apart and need not.
struct ModelIndex {
  std::string folder;          // or file: what messages call the model
  std::string pipeline_class;  // "StableDiffusionPipeline"
  std::map<std::string, std::string> components;  // "unet" -> its class

  // Components that do not lie in the folder of their name, by name.
  std::map<std::string, ComponentFiles> elsewhere = {};

  std::string family = {};  // of single_file/families/; empty: a folder

  // Folder or file of SDXL's refiner; empty: none beside it.
  std::string refiner = {};

  // Files of the model as a whole: "model_index.json", "genzo.json".
  ComponentFiles files = ComponentFiles("");

  // Weights that other models may hold, too; null: this one's are its own.
  std::shared_ptr<TensorPool> pool = nullptr;

  // Components are opened without the values of their tensors: what a pipeline
  // is can be told of it, and nothing painted.
  bool heads_only = false;

  // Whether the model has `component`: some are optional, and may be listed
  // without being there.
  bool Has(const std::string& component) const;

  // The component's files. NOT_FOUND naming it if the index or the disk lacks
  // it; UNIMPLEMENTED if its class is not `expected_class`.
  absl::StatusOr<ComponentFiles> Component(
      const std::string& component, const std::string& expected_class) const;

  // The same without any check: reading says what is missing.
  ComponentFiles FilesOf(const std::string& component) const;
  // The component's class, as the index names it; empty: it has none.
  std::string ClassOf(const std::string& component) const;
  // What tells the components of one file apart.
  std::string KindOf(const std::string& component) const;

  // The part of type `Part` that is made of `names`: the one that another model
  // of the pool has of the same files, in `placement`, or what `make` gives.
  template <typename Part, typename Make>
  absl::StatusOr<std::shared_ptr<const Part>> ShareOf(
      const std::string& kind, const std::vector<std::string>& names,
      const Placement& placement, const Make& make) const {
    if (pool == nullptr) return make();
    return pool->Share<Part>(KeyOf(kind, names, placement), make);
  }
  // What others must have equal to share the part; empty if that cannot be
  // told.
  std::string KeyOf(const std::string& kind,
                    const std::vector<std::string>& names,
                    const Placement& placement) const;
};

// Class and components as a model_index.json names them, wherever they lie.
// NOT_FOUND or INVALID_ARGUMENT naming the file.
absl::StatusOr<ModelIndex> ParseModelIndex(const TextFile& file);

// Reads FOLDER/model_index.json. NOT_FOUND or INVALID_ARGUMENT naming the file.
absl::StatusOr<ModelIndex> ReadModelIndex(const std::string& folder);

// The index of a model that is a folder or a single file, with the parts that
// its configuration takes from elsewhere. What a file and its `config` lack is
// looked for in FAMILY.config beside it, "flux.config", if there is one. Reads
// headers and small files alone.
// NOT_FOUND, INVALID_ARGUMENT or UNIMPLEMENTED name file and what is wrong.
absl::StatusOr<ModelIndex> OpenModelIndex(const ModelFiles& files);

}  // namespace genzo

#endif  // GENZO_WORKER_WEIGHTS_MODEL_INDEX_H_
