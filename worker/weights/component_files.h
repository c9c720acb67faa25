#ifndef GENZO_WORKER_WEIGHTS_COMPONENT_FILES_H_
#define GENZO_WORKER_WEIGHTS_COMPONENT_FILES_H_

#include <map>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "worker/weights/tensor_pool.h"
#include "worker/weights/tensor_source.h"
#include "worker/weights/text_file.h"

namespace genzo {

// A part of a model, wherever it lies: small files by name ("config.json",
// "merges.txt") and tensors under the names of diffusers. A folder of that
// layout, or a part of a single file: then the small files are texts in memory
// and the tensors a view. A value; any thread may read.
class ComponentFiles {
 public:
  // A folder. Implicit: that is what most are.
  ComponentFiles(std::string folder) : path_(std::move(folder)) {}
  ComponentFiles(const char* folder) : path_(folder) {}
  // `path` is what messages call the part. What `texts` lack is looked for in
  // `folder`, unless that is empty.
  ComponentFiles(std::string path, std::map<std::string, std::string> texts,
                 std::shared_ptr<const TensorSource> tensors,
                 std::string folder);

  // The file of that name. It need not exist: reading says NOT_FOUND.
  TextFile At(const std::string& name) const;

  // The tensors, of which headers alone have been read. NOT_FOUND names the
  // part if it has none.
  absl::StatusOr<std::shared_ptr<const TensorSource>> OpenTensors() const;

  // OpenTensors() gives tensors of `pool` from now on, shared with components
  // of that class in the same file.
  void ShareIn(std::shared_ptr<TensorPool> pool, std::string class_name) {
    pool_ = std::move(pool);
    class_name_ = std::move(class_name);
  }

  // OpenTensors() gives heads alone from now on, which share nothing.
  void LeaveValues() { heads_only_ = true; }

  // A small file of that name, before any that lies in the folder.
  void AddText(const std::string& name, std::string text) {
    texts_.insert_or_assign(name, std::move(text));
  }

  const std::string& path() const { return path_; }

  // What the part is made of, as it is now: equal where the bytes are those of
  // the same files. Empty if that cannot be told.
  std::string Identity() const;

 private:
  std::string path_;
  bool in_memory_ = false;
  std::map<std::string, std::string> texts_;
  std::shared_ptr<const TensorSource> tensors_;
  std::string folder_;
  std::shared_ptr<TensorPool> pool_;
  std::string class_name_;
  bool heads_only_ = false;
};

}  // namespace genzo

#endif  // GENZO_WORKER_WEIGHTS_COMPONENT_FILES_H_
